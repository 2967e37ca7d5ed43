"""The reference of topics and their messages, written from the registry."""

from collections.abc import Iterable, Iterator

import msgspec

from shared.contracts.topics import REGISTRY, Kind, Topic
from shared.runtime.message_schemas import schema_name

HEAD = """\
# Topics

All have the same number of partitions (`CRM_LANES`), so that partition *p* of one belongs to partition *p* of the
others. Keys are partitioned by murmur2, as Kafka's own clients do. Values are JSON; the attributes of CloudEvents 1.0
travel as headers `ce_id`, `ce_source`, `ce_type`, `ce_time`, `ce_subject`. Keys and headers hold no personal data.
Headers, types and an example of each message are told by [asyncapi.yaml](asyncapi.yaml), what a family of events says
by the schemas in [payloads](payloads).

Written by `python -m shared.runtime.reference topics` from `shared/contracts/topics.py`; edit there.

| topic | kind | key | message | written by | read by | kept |
|---|---|---|---|---|---|---|
"""
KINDS = """
## Kinds

| kind | what a reader may rely on |
|---|---|
"""
MEANING = {
    Kind.RAW: "Written by others: anything, in any order, repeated or not.",
    Kind.LOG: "In order; repeats are possible, with the same `ce_id`.",
    Kind.SEQUENCED_LOG: "In order, `ce_sequence` without gaps per partition: an older number is a repeat.",
    Kind.STATE: (
        "The newest state of each key, compacted: apply only what is greater in (`ce_incarnation`, `ce_version`). "
        "A record without a value is a tombstone."
    ),
}


def topics_reference(registry: Iterable[Topic] = REGISTRY) -> str:
    """Render every topic as a row, then what each kind promises."""
    rows = [f"| {' | '.join(_cells(topic))} |\n" for topic in registry]
    kinds = [f"| {_words(kind)} | {meaning} |\n" for kind, meaning in MEANING.items()]
    return "".join([HEAD, *rows, KINDS, *kinds])


def _cells(topic: Topic) -> tuple[str, ...]:
    message = "as sent" if topic.payload is None else ", ".join(_messages(topic, topic.payload))
    kept = "the last of each key" if topic.kind is Kind.STATE else f"{topic.retention_days} days"
    return (
        f"`{topic.name}`",
        _words(topic.kind),
        topic.key,
        message,
        ", ".join(topic.producers),
        ", ".join(topic.consumers) or "your systems",
        kept,
    )


def _messages(topic: Topic, payload: type[msgspec.Struct]) -> Iterator[str]:
    yield f"[{payload.__name__}](messages/{topic.name}.json)"
    for kind, other in topic.others:
        yield f"[{other.__name__}]({schema_name(topic, kind)})"
    if topic.tombstones:
        yield "tombstones"


def _words(kind: Kind) -> str:
    return kind.value.replace("_", " ")
