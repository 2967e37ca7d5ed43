"""The schemas that readers of our topics are given say what the code says."""

import json
from pathlib import Path

import msgspec
import pytest

from shared.contracts.topics import REGISTRY, Kind, Topic
from shared.runtime import reference
from shared.runtime.topic_reference import MEANING, topics_reference

FOLDER = Path(__file__).parents[4] / "docs" / "reference" / "messages"
TYPED = [topic for topic in REGISTRY if topic.payload is not None]


@pytest.mark.parametrize("topic", TYPED, ids=lambda topic: topic.name)
def test_a_schema_is_as_the_code_writes_it(topic: Topic, capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["message", topic.name]) == 0
    assert (FOLDER / f"{topic.name}.json").read_text("utf-8") == capsys.readouterr().out, (
        f"python -m shared.runtime.reference message {topic.name} > docs/reference/messages/{topic.name}.json"
    )


@pytest.mark.parametrize("topic", TYPED, ids=lambda topic: topic.name)
def test_a_schema_names_every_member_of_the_message(topic: Topic) -> None:
    assert topic.payload is not None
    schema = json.loads((FOLDER / f"{topic.name}.json").read_text("utf-8"))
    described = schema["$defs"][topic.payload.__name__]
    assert list(described["properties"]) == [one.encode_name for one in msgspec.structs.fields(topic.payload)]
    assert "additionalProperties" not in described


def test_there_is_a_schema_for_each_typed_topic_and_no_other() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(topic.name for topic in TYPED)


@pytest.mark.parametrize("name", ["crm.raw-events.v1", "crm.outreach.v2"])
def test_a_topic_without_a_schema_is_refused_with_the_usage(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["message", name]) == 2
    assert "usage:" in capsys.readouterr().err


def test_the_page_has_a_row_for_each_topic_and_kind() -> None:
    page = topics_reference()
    assert [page.count(f"| `{topic.name}` |") for topic in REGISTRY] == [1] * len(REGISTRY)
    assert set(MEANING) == set(Kind)
