"""What operators and ingest do to each other, without Kafka between them: what is sent is fed to the handler."""

import json
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection

from services.ingest.domain.mending import Patch, read_patch
from services.ingest.domain.reading import Reader, read
from services.ingest.domain.sources import Source
from services.ingest.quarantine import sending
from services.ingest.quarantine.fixing import Mode, Order, Origin, Report, fix
from services.ingest.quarantine.looking import summary
from services.ingest.quarantine.replays import Progress, ReplayState, progress
from services.ingest.quarantine.selecting import Everything, Scope
from services.ingest.quarantine.sending import AlreadyRunning, Job
from shared.contracts.interactions import Interaction
from shared.runtime.handler import DirectMessage
from shared.runtime.records import PlainRecord
from tests.integration.services.ingest.feeding import feed
from tests.unit.services.ingest.records import APPENDED, READER, order, raw

TOTAL = {"op": "replace", "path": "/properties/total", "value": 12.5}
PAUSED = Reader(READER.identities, lambda name: Source(name, "web", paused=True))
ACTOR = "olga"
EVERYTHING = Everything()
_STATES = "SELECT id, state, reason, path, cause FROM quarantine ORDER BY id"


class Letterbox:
    """A sender that keeps what is sent; `fail_after` pages it raises after sending one, as a lost acknowledgement."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.sent: list[DirectMessage] = []
        self._left = fail_after

    async def produce(self, messages: Sequence[DirectMessage]) -> None:
        """Keep the messages."""
        self.sent += messages
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise OSError("no acknowledgement")

    def records(self, first_offset: int = 1000) -> list[PlainRecord]:
        """Return what was sent as ingest reads it, an hour after everything else."""
        return [
            PlainRecord(
                topic=direct.topic,
                partition=direct.lane,
                offset=first_offset + number,
                timestamp=round(APPENDED.timestamp() * 1000) + 3_600_000,
                key=direct.message.key,
                value=direct.message.value,
                headers=[(name, text or b"") for name, text in direct.message.headers],
            )
            for number, direct in enumerate(self.sent)
        ]


def operator(database_url: str) -> Connection:
    """Connect as the operators' side does."""
    return psycopg.connect(database_url, options="-c search_path=ingest", autocommit=True)


def patch(*operations: dict[str, Any]) -> Patch:
    """Read a patch."""
    found = read_patch(json.dumps(operations).encode())
    assert isinstance(found, Patch), found
    return found


def mend(
    connection: Connection,
    cause: str,
    *operations: dict[str, Any],
    mode: Mode = Mode.KEEP,
    origin: Origin = Origin.MENDED,
    reader: Reader = READER,
) -> Report:
    """Fix a group."""
    return fix(connection, reader, Order(cause, patch(*operations), origin, mode), ACTOR)


def begun(connection: Connection, scope: Scope = EVERYTHING, *, reader: Reader = READER, again: bool = False) -> Job:
    """Begin a replay that nobody else hinders."""
    job = sending.begin(connection, reader, scope, ACTOR, 4, again=again)
    assert not isinstance(job, AlreadyRunning)
    return job


async def replay(
    connection: Connection,
    letters: Letterbox,
    scope: Scope = EVERYTHING,
    *,
    reader: Reader = READER,
    again: bool = False,
) -> Progress:
    """Replay to the end."""
    job = begun(connection, scope, reader=reader, again=again)
    assert await sending.run(job, letters) is ReplayState.DONE
    found = progress(connection, job.id)
    assert found is not None
    return found


async def read_by_ingest(
    connection: AsyncConnection, letters: Letterbox, reader: Reader = READER, first_offset: int = 1000
) -> list[Interaction]:
    """Let ingest read what was sent, and return what it accepted."""
    records = letters.records(first_offset)
    decision = await feed(connection, records, reader=reader)
    assert len(decision.outcomes) >= len(records)
    return [one for record in records for one in read(record, reader) if isinstance(one, Interaction)]


def states(connection: Connection) -> list[tuple[Any, ...]]:
    """Return every entry's state and cause."""
    return connection.execute(_STATES).fetchall()


async def refused(connection: AsyncConnection, count: int = 1, first: int = 0) -> None:
    """Let ingest refuse orders for the same reason."""
    records = [raw(order(total="a lot") | {"messageId": f"m-{n}"}, offset=n) for n in range(first, first + count)]
    await feed(connection, records)


def cause(operating: Connection) -> str:
    """Return the one cause that there is."""
    (one,) = summary(operating)
    return str(one["group"])
