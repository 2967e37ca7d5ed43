"""What has come of a story: each event on the topic, read as what it was, and known again if it came twice."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.ingest.domain.reading import Reading, Refused
from tests.integration.services.ingest.wire.sdks import HISTORY, Expected, Said
from tests.integration.services.ingest.wire.topic import Topic

LATE = timedelta(seconds=60)


def check_read(reading: Reading, expected: Expected) -> None:
    """Compare one event with what it must be."""
    if expected.problem is not None:
        assert isinstance(reading, Refused)
        assert (reading.problem.reason.value, reading.problem.path) == ("not_a_number", expected.problem)
        return
    assert not isinstance(reading, Refused), reading.problem
    assert (reading.name, reading.family) == (expected.name, expected.family)
    assert json.loads(bytes(reading.payload)) == expected.payload
    assert {(one.kind, one.value) for one in reading.identities} == expected.identities
    history = datetime.fromisoformat(HISTORY)
    at = history if reading.family == "order" else datetime.now(UTC)
    assert abs(reading.occurred_at - at) < LATE


def check_story(topic: Topic, said: Said, expected: Sequence[Expected], *, once: bool) -> None:
    """Check that each event that an SDK sent is on the topic, and is what it was; `once`: no second time."""
    assert said.lost == []
    assert len(said.ids) == len(set(said.ids)) == len(expected)
    found = topic.by_id()
    for message_id, one in zip(said.ids, expected, strict=True):
        readings = found.get(message_id, [])
        assert readings, f"{one.name or one.problem} is not on the topic"
        assert len(readings) == 1 or not once
        for reading in readings:
            check_read(reading, one)
        assert len({fingerprint(reading) for reading in readings}) == 1


def fingerprint(reading: Reading) -> tuple[str, ...]:
    """Return what makes a repetition be known as one."""
    if isinstance(reading, Refused):
        return (reading.problem.path, str(reading.message_id))
    return reading.dedupe_key, reading.payload_hash
