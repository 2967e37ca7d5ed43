"""The AsyncAPI 3 document of all topics, written from the registry, the schemas and the golden messages."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from shared.contracts.topics import REGISTRY, Kind, Topic
from shared.runtime.asyncapi_messages import BINDING, Document, messages, schemas
from shared.runtime.golden_messages import Example
from shared.runtime.settings import RuntimeSettings
from shared.runtime.topic_reference import MEANING

HEAD = "# Written by `python -m shared.runtime.reference asyncapi` from the code; edit there.\n"
VERSION = "3.0.0"
ANYBODY = "anybody"

_INFO: Document = {
    "title": "Rapport",
    "version": "1",
    "description": (
        "Interaction events on Kafka become live customer records, segments, outreach and KPIs. Anybody may write raw "
        "events and read every other topic. Values are JSON, and members that a schema does not list may follow. What "
        "a reader may rely on is told at each channel."
    ),
    "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
}
_SERVERS: Document = {
    "kafka": {
        "host": "{bootstrap_servers}",
        "protocol": "kafka",
        "description": "The Kafka that the services work on.",
        "variables": {
            "bootstrap_servers": {
                "default": "localhost:9092",
                "description": "What `CRM_KAFKA_BOOTSTRAP_SERVERS` says.",
            }
        },
    }
}


class _Dumper(yaml.SafeDumper):
    """Writes everything out where it stands: no anchors, lists below their names."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - pyyaml asks for each value
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - pyyaml's own signature
        super().increase_indent(flow, False)  # noqa: FBT003 - pyyaml's own signature


def asyncapi_document(examples: Sequence[Example], registry: Sequence[Topic] = REGISTRY) -> Document:
    """Describe every topic as a channel, and what each service sends and receives as operations."""
    described = {topic.name: messages(topic, examples) for topic in registry}
    return {
        "asyncapi": VERSION,
        "id": "urn:rapport:crm",
        "info": _INFO,
        "defaultContentType": "application/json",
        "servers": _SERVERS,
        "channels": {topic.name: _channel(topic, described[topic.name]) for topic in registry},
        "operations": dict(
            operation
            for topic in registry
            for action, services in (("send", topic.producers), ("receive", topic.consumers))
            for service in services
            if service != ANYBODY
            for operation in [_operation(service, action, topic, described[topic.name])]
        ),
        "components": {
            "schemas": schemas(),
            "messages": {name: message for found in described.values() for name, message in found.items()},
        },
    }


def asyncapi_reference(examples: Sequence[Example]) -> str:
    """Write the document as YAML."""
    document = asyncapi_document(examples)
    return HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _channel(topic: Topic, found: Mapping[str, Any]) -> Document:
    readers = ", ".join(topic.consumers) or "your systems"
    return {
        "address": topic.name,
        "description": (
            f"{MEANING[topic.kind]} Key: {topic.key}. Written by {', '.join(topic.producers)}, read by {readers}."
        ),
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in found},
        "tags": [{"name": topic.kind.value}],
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": RuntimeSettings.model_fields["lanes"].default,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": BINDING,
            }
        },
        "x-key": topic.key,
        "x-kind": topic.kind.value,
        "x-retention": "the last of each key" if topic.kind is Kind.STATE else f"{topic.retention_days} days",
    }


def _configuration(topic: Topic) -> Document:
    """Render Kafka's settings as the binding has them: numbers as numbers, policies as a list."""
    return {
        name: value.split(",") if name == "cleanup.policy" else int(value) if value.isdigit() else value
        for name, value in topic.config().items()
    }


def _operation(service: str, action: str, topic: Topic, found: Mapping[str, Any]) -> tuple[str, Document]:
    described: Document = {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": f"{service.capitalize()} {'writes' if action == 'send' else 'reads'} {topic.name}.",
        "tags": [{"name": service}],
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in found],
    }
    if action == "receive":
        group = {"type": "string", "enum": [f"crm-{service}"]}
        described["bindings"] = {"kafka": {"groupId": group, "bindingVersion": BINDING}}
    return f"{service}-{action}-{topic.name}", described
