"""The schemas that readers of our topics are given say what the code says."""

import json

import jsonschema_rs
import msgspec
import pytest

from shared.contracts.catalogue import Family
from shared.contracts.payloads import PAYLOADS
from shared.contracts.topics import REGISTRY, Kind, Topic
from shared.runtime.message_schemas import message_schema, payload_schema, schema_files, written
from shared.runtime.topic_reference import MEANING, topics_reference

TYPED = [topic for topic in REGISTRY if topic.payload is not None]


@pytest.mark.parametrize("topic", TYPED, ids=lambda topic: topic.name)
def test_a_schema_names_every_member_of_the_message(topic: Topic) -> None:
    assert topic.payload is not None
    schema = json.loads(written(message_schema(topic) or {}))
    described = schema["$defs"][topic.payload.__name__]
    assert list(described["properties"]) == [one.encode_name for one in msgspec.structs.fields(topic.payload)]
    assert "additionalProperties" not in described


@pytest.mark.parametrize("family", PAYLOADS)
def test_a_family_s_schema_names_every_member_of_its_payload(family: Family) -> None:
    schema = json.loads(written(payload_schema(family) or {}))
    described = schema["$defs"][PAYLOADS[family].__name__]
    assert schema["title"] == family
    assert list(described["properties"]) == [one.encode_name for one in msgspec.structs.fields(PAYLOADS[family])]
    assert "additionalProperties" not in described


@pytest.mark.parametrize("name", schema_files())
def test_a_schema_is_one_by_its_own_dialect(name: str) -> None:
    assert jsonschema_rs.meta.is_valid(schema_files()[name])


def test_descriptions_are_written_without_the_code_s_indentation() -> None:
    indented = [name for name, schema in schema_files().items() if "\\n  " in json.dumps(schema)]
    assert indented == []


@pytest.mark.parametrize("topic", [topic for topic in REGISTRY if topic.payload is None], ids=lambda topic: topic.name)
def test_what_others_shape_has_no_schema(topic: Topic) -> None:
    assert message_schema(topic) is None


def test_the_page_has_a_row_for_each_topic_and_kind() -> None:
    page = topics_reference()
    assert [page.count(f"| `{topic.name}` |") for topic in REGISTRY] == [1] * len(REGISTRY)
    assert set(MEANING) == set(Kind)
