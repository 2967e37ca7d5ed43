"""Replaying: entries go back to where events come in, page by page; what is acknowledged is marked, then the next."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol, TypeVar

from psycopg import Connection

from services.ingest.domain.reading import Reader
from services.ingest.domain.replaying import Acceptable, Kept, judge, replayed
from services.ingest.quarantine import replays
from services.ingest.quarantine.auditing import Action, note
from services.ingest.quarantine.replays import ReplayState
from services.ingest.quarantine.selecting import SENDABLE, SENDABLE_AGAIN, OfCause, Scope, extent, page
from shared.contracts.topics import LARGEST_MESSAGE_BYTES, RAW_EVENTS
from shared.runtime.handler import DirectMessage, Message
from shared.runtime.producing import ENVELOPE_BYTES

T = TypeVar("T")

_MARK: LiteralString = """
    UPDATE quarantine SET state = 'replaying', replay = %s, sent_at = NULL WHERE id = ANY(%s)
"""
# One that ingest has read meanwhile is marked by what it said.
_SENT: LiteralString = """
    UPDATE quarantine SET sent_at = clock_timestamp()
    WHERE id IN (SELECT id FROM quarantine WHERE id = ANY(%s) AND replay = %s AND state = 'replaying'
        ORDER BY id FOR UPDATE)
"""


class Sender(Protocol):
    """Writes messages, and returns when all are acknowledged by every replica."""

    async def produce(self, messages: Sequence[DirectMessage]) -> None:
        """Send messages; raises KafkaError when some or all of them were not acknowledged."""
        ...


@dataclass(frozen=True, slots=True)
class AlreadyRunning:
    """Somebody else replays: one at a time, so that nothing is sent by two."""


@dataclass(frozen=True, slots=True)
class Job:
    """A replay that was begun, and the connection that has the right to it.

    `lanes` is how many partitions the topic of raw events has.
    """

    connection: Connection
    reader: Reader
    scope: Scope
    states: LiteralString
    actor: str
    lanes: int
    id: int
    total: int
    upto: int


def begin(
    connection: Connection, reader: Reader, scope: Scope, actor: str, lanes: int, *, again: bool = False
) -> Job | AlreadyRunning:
    """Begin to replay what is open or mended now, and what an earlier replay marked and may not have sent.

    `again` takes what was sent and not yet read, too. The connection must be in no transaction, and belongs to the
    replay until it ends.
    """
    if not replays.take_turn(connection):
        return AlreadyRunning()
    states = SENDABLE_AGAIN if again else SENDABLE
    meant = extent(connection, scope, states)
    number = replays.add(connection, scope, meant, actor)
    return Job(connection, reader, scope, states, actor, lanes, number, meant.entries, meant.upto)


def abandon(job: Job) -> None:
    """End a replay that could not be run, and let somebody else replay."""
    replays.end(job.connection, job.id, ReplayState.STOPPED)
    replays.give_turn_back(job.connection)


async def run(
    job: Job,
    sender: Sender,
    *,
    stopping: Callable[[], bool] = lambda: False,
    notify: Callable[[int], None] = lambda _done: None,
) -> ReplayState:
    """Send what would be accepted, and leave what would be refused again; `notify` is told how many are done.

    Each entry is marked before it is sent, and marked as sent once Kafka has acknowledged it, so that a replay that is
    cancelled or killed anywhere can be begun anew: what is sent twice has the same ids, and is one event.

    Raises:
        KafkaError: something was not acknowledged; what was sent is marked, the rest waits for the next replay.
    """
    state, after, done = ReplayState.STOPPED, 0, 0
    try:
        while not stopping():
            taken = await _in_thread(_take, job, after)
            if taken is None:
                state = ReplayState.DONE
                break
            await sender.produce([_message(kept, job.lanes) for kept in taken.sendable])
            await _in_thread(_mark_sent, job, taken.sendable)
            after, done = taken.last, done + taken.entries
            notify(done)
    finally:
        # Not in a thread: a task that is cancelled must not leave the right to replay behind.
        replays.end(job.connection, job.id, state)
        replays.give_turn_back(job.connection)
    return state


async def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Run blocking work in a thread, and see it through when cancelled: its connection must not be used by two."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise


@dataclass(frozen=True, slots=True)
class _Taken:
    sendable: Sequence[Kept]
    entries: int
    last: int


def _take(job: Job, after: int) -> _Taken | None:
    with job.connection.transaction():
        entries = page(job.connection, job.scope, job.states, after, job.upto)
        if not entries:
            return None
        sendable = [kept for kept in entries if _fits(kept) and isinstance(judge(kept, job.reader), Acceptable)]
        numbers = [kept.id for kept in sendable]
        if numbers:
            job.connection.execute(_MARK, (job.id, numbers))
            subject = job.scope.cause if isinstance(job.scope, OfCause) else "entries"
            note(job.connection, job.actor, Action.REPLAY, subject, numbers, {"replay": job.id})
        replays.advance(job.connection, job.id, still_bad=len(entries) - len(sendable))
    return _Taken(sendable, len(entries), entries[-1].id)


def _mark_sent(job: Job, sendable: Sequence[Kept]) -> None:
    with job.connection.transaction():
        job.connection.execute(_SENT, ([kept.id for kept in sendable], job.id))
        replays.advance(job.connection, job.id, sent=len(sendable))


def _fits(kept: Kept) -> bool:
    """Tell whether a record can carry it: one that came in as large as a record can be, with our headers cannot."""
    record = replayed(kept)
    headers = sum(len(name) + len(text or b"") for name, text in record.headers)
    return len(record.value or b"") + len(record.key or b"") + headers <= LARGEST_MESSAGE_BYTES - ENVELOPE_BYTES


def _message(kept: Kept, lanes: int) -> DirectMessage:
    record = replayed(kept)
    return DirectMessage(
        RAW_EVENTS.name, kept.lane % lanes, Message(record.key or b"", record.value, list(record.headers))
    )
