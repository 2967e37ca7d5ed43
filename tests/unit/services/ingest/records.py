"""Raw records for ingest's tests, and short ways to read them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.ingest.domain.identities import Identities
from services.ingest.domain.problems import Problem
from services.ingest.domain.reading import Reader, Reading, Refused, read
from shared.contracts.interactions import Interaction
from shared.runtime.records import PlainRecord

READER = Reader(Identities(b"a secret of the tests"))
APPENDED = datetime(2026, 11, 22, 9, 30, 1, 420_000, tzinfo=UTC)
Headers = Sequence[tuple[str, bytes]]


def raw(value: Any, headers: Headers = (), *, offset: int = 0, at: datetime = APPENDED) -> PlainRecord:
    """Make a record; what is not bytes is sent as JSON."""
    data = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
    return PlainRecord(
        topic="crm.raw-events.v1",
        partition=1,
        offset=offset,
        timestamp=round(at.timestamp() * 1000),
        value=data,
        headers=headers,
    )


def readings(value: Any, headers: Headers = ()) -> Sequence[Reading]:
    return read(raw(value, headers), READER)


def accepted(value: Any, headers: Headers = ()) -> Interaction:
    (reading,) = readings(value, headers)
    assert isinstance(reading, Interaction), reading
    return reading


def refused(value: Any, headers: Headers = ()) -> Refused:
    (reading,) = readings(value, headers)
    assert isinstance(reading, Refused), reading
    return reading


def problem(value: Any, headers: Headers = ()) -> Problem:
    return refused(value, headers).problem


def verdict(value: Any, headers: Headers = ()) -> tuple[str, str, str]:
    """Return the stage, reason and path of a refusal."""
    found = problem(value, headers)
    return found.stage.value, found.reason.value, found.path


def identities(interaction: Interaction) -> list[tuple[str, str]]:
    return [(identity.kind, identity.value) for identity in interaction.identities]


def payload(interaction: Interaction) -> Any:
    return json.loads(bytes(interaction.payload))


def context(interaction: Interaction) -> Any:
    return json.loads(bytes(interaction.context))


def track(event: str = "Order Completed", **fields: Any) -> dict[str, Any]:
    return {"type": "track", "event": event, "userId": "u-17", "messageId": "m-1", **fields}


def order(**properties: Any) -> dict[str, Any]:
    return track(properties=properties)
