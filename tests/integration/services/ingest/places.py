"""Records of a source of one's own, where they came in, and what ingest would have said to better ones there."""

import json
from typing import Any

from psycopg import Connection

from services.ingest.domain.reading import read
from services.ingest.messages import interaction_message
from shared.contracts.interactions import Interaction
from shared.contracts.topics import RAW_EVENTS
from shared.runtime.records import PlainRecord
from tests.integration.services.ingest.worker import READER
from tests.unit.services.ingest.records import Headers
from tests.unit.services.ingest.test_replaying import Case

_PLACES = "SELECT lane, record_offset, extract(epoch FROM appended_at) * 1000 FROM quarantine WHERE id = %s"


def entries(connection: Connection, source: str) -> list[tuple[Any, ...]]:
    """Return the number, state, cause and reason of all that was refused of a source."""
    return connection.execute(
        "SELECT id, state, cause, reason FROM quarantine WHERE source = %s ORDER BY id", (source,)
    ).fetchall()


def of(source: str, case: Case) -> tuple[Any, Any, Headers, Headers]:
    """Give a case a source of its own: by header, or by a CloudEvent's word."""

    def named(document: Any) -> Any:
        if isinstance(document, list):
            return [named(one) for one in document]
        if isinstance(document, dict) and "specversion" in document:
            return {**document, "source": source}
        return document

    def heard(headers: Headers) -> Headers:
        said = [(name, source.encode() if name in ("source", "ce_source") else text) for name, text in headers]
        return (
            said if any(name in ("source", "ce_source") for name, _ in said) else [*said, ("source", source.encode())]
        )

    return (
        named(case.broken),
        named(case.good),
        heard(case.headers),
        heard(case.headers if case.good_headers is None else case.good_headers),
    )


def written(document: Any) -> bytes:
    """Write a document as a sender does; what is bytes stays as it is."""
    return document if isinstance(document, bytes) else json.dumps(document).encode()


def expected(connection: Connection, number: int, good: Any, headers: Headers) -> list[tuple[Any, Any]]:
    """Tell what ingest would have said, had the record been good where it came in."""
    place = connection.execute(_PLACES, (number,)).fetchone()
    assert place is not None
    lane, offset, milliseconds = place
    record = PlainRecord(
        topic=RAW_EVENTS.name,
        partition=lane,
        offset=offset,
        timestamp=int(milliseconds),
        value=written(good),
        headers=headers,
    )
    readings = read(record, READER)
    assert all(isinstance(reading, Interaction) for reading in readings)
    messages = [interaction_message(reading) for reading in readings if isinstance(reading, Interaction)]
    return [(message.value, dict(message.headers)["ce_id"]) for message in messages]
