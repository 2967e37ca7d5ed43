"""One transaction per batch: what was polled becomes state, publications and a moved position, or nothing at all."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from operator import attrgetter
from typing import Any
from uuid import UUID

from shared.contracts.topics import Kind
from shared.runtime import dead_letters, due, positions
from shared.runtime.clock import Clock
from shared.runtime.dead_letters import DeadLetter
from shared.runtime.errors import StaleStateError
from shared.runtime.failpoints import Failpoints
from shared.runtime.fuse import Fuse
from shared.runtime.handler import APPLIED, Conflict, Dead, Decision, Handler, Outcome
from shared.runtime.intake import Intake, Place, Position, take_in
from shared.runtime.observe import BatchObserver
from shared.runtime.positions import Tally
from shared.runtime.producing import Producing
from shared.runtime.records import DueInstant, Poison, Received, Record
from shared.runtime.retry import Verdict, verdict
from shared.runtime.transaction import Transaction, Transactions

MOST_REDOS = 20
LARGE_BATCH = 500
LARGE_BYTES = 256 * 1024

_UNUSUAL = frozenset({Dead, Conflict})
_place_of = attrgetter("record.topic", "record.partition")


class DeadLetterPolicy(Enum):
    """Who keeps dead events: the runtime, or a handler with a table of its own (ingest's quarantine)."""

    RUNTIME_KEEPS = "runtime"
    HANDLER_KEEPS = "handler"
    """What the handler refuses does not count towards the fuse: whoever may write to the topic could stop us with it.
    What it fails on does."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a processor works with."""

    handler: Handler[Any, Any, Any, Any]
    transactions: Transactions
    producing: Producing
    clock: Clock
    failpoints: Failpoints
    observer: BatchObserver
    dead_letter_policy: DeadLetterPolicy


class Processor:
    """Applies batches and due instants of the lanes that are held; one at a time, under `lock`.

    `positions` is what PostgreSQL holds, as far as we know, in the topics of `topic_ids`.
    """

    def __init__(self, parts: Parts, kinds: Mapping[str, Kind], fuse: Fuse) -> None:
        self._parts = parts
        self._kinds = kinds
        self._fuse = fuse
        self.positions: dict[Place, Position] = {}
        self.topic_ids: dict[str, UUID] = {}
        self.lock = asyncio.Lock()

    def forget(self) -> None:
        """Drop what the handler cached: a lane changed hands, or a transaction did not commit."""
        self._parts.handler.forget()

    async def process(self, polled: Mapping[Place, Sequence[Record]], proof: Awaitable[None] | None = None) -> int:
        """Apply what is new in a poll; returns how many records that was. The caller holds `lock`.

        `proof` is awaited before COMMIT, and stops it by raising.

        Raises:
            FencedError, TransientError, psycopg.Error, FatalError: nothing of the (rest of the) batch was applied, or,
                when COMMIT's answer was lost, all of it: load positions anew before going on.
        """
        intake = take_in(polled, self.positions, self._kinds)
        if intake.after:
            await self._apply(intake, polled, proof)
        return len(intake.records)

    async def _apply(
        self, intake: Intake, polled: Mapping[Place, Sequence[Record]], proof: Awaitable[None] | None
    ) -> None:
        try:
            await self._commit(intake, proof)
        except Exception as error:
            if verdict(error) is not Verdict.ISOLATE:
                raise
            self._parts.handler.forget()
            if len(intake.records) <= 1:
                await self._commit(intake, proof, gave_up=Poison("handler_failed", found=type(error).__name__))
                return
            for half in _halves(polled, intake):
                await self.process(half, proof)

    async def _commit(self, intake: Intake, proof: Awaitable[None] | None, gave_up: Poison | None = None) -> None:
        decoded = await self._decoded(intake, gave_up)
        for attempt in range(MOST_REDOS):
            try:
                result = await self._try(intake, decoded, proof)
            except StaleStateError:
                self._parts.handler.forget()
                if attempt == MOST_REDOS - 1:
                    raise
            else:
                self._fuse = result.fuse
                self.positions.update(intake.after)
                self._parts.observer.committed(intake, result.tally, result.dead)
                return

    async def _decoded(self, intake: Intake, gave_up: Poison | None) -> "_Decoded":
        if sum(len(record.value or b"") for record in intake.records) <= LARGE_BYTES:
            return _decode(self._parts.handler, intake, gave_up)
        return await asyncio.to_thread(_decode, self._parts.handler, intake, gave_up)

    async def _try(self, intake: Intake, decoded: "_Decoded", proof: Awaitable[None] | None) -> "_Result":
        group = self._parts.transactions.claims.group
        async with self._parts.transactions.begin({lane for _, lane in intake.after}) as transaction:
            decision = await self._decide(transaction, decoded.events, ())
            result = self._account(intake, decoded, decision)
            await dead_letters.keep(transaction.connection, group, result.letters)
            await positions.move(transaction.connection, group, intake, result.tally)
            if proof is not None:
                await proof
            written_at = time.perf_counter()
        self._parts.observer.ended("commit", written_at)
        return result

    def _account(self, intake: Intake, decoded: "_Decoded", decision: Decision[Any]) -> "_Result":
        letters, tally = list(decoded.letters), Tally()
        for place, count in intake.repeats.items():
            tally.add_many(place, "duplicate", count)
        tally.add_all((_place_of(letter), type(letter.outcome)) for letter in letters)
        tally.add_all(zip(map(_place_of, decoded.events), map(type, decision.outcomes), strict=True))
        keep_dead = self._parts.dead_letter_policy is DeadLetterPolicy.RUNTIME_KEEPS
        # By type, which is a tenth of what isinstance costs on a Struct.
        unusual = [
            (received, outcome)
            for received, outcome in zip(decoded.events, decision.outcomes, strict=True)
            if type(outcome) in _UNUSUAL and isinstance(outcome, Dead | Conflict)
        ]
        for received, outcome in unusual:
            if keep_dead or isinstance(outcome, Conflict):
                letters.append(DeadLetter(received.record, received.index, outcome))
        refused: list[Outcome] = [letter.outcome for letter in decoded.letters]
        dead = Counter(
            outcome.poison.reason
            for outcome in (*refused, *(outcome for _, outcome in unusual))
            if isinstance(outcome, Dead)
        )
        judged = [*refused, *(decision.outcomes if keep_dead else [APPLIED] * len(decision.outcomes))]
        return _Result(tally, letters, dead, self._fuse.after(judged))

    async def fire(self, lanes: Mapping[int, datetime], limit: int) -> Sequence[DueInstant]:
        """Apply the instants that fell due, `lanes` telling up to which time each; the caller holds `lock`.

        An instant that the handler fails on is found by halving, and set aside like an event.
        """
        try:
            async with self._parts.transactions.begin(lanes) as transaction:
                fired = await due.take(transaction.connection, lanes, limit)
                if fired:
                    await self._decide(transaction, (), fired)
        except BaseException as error:
            self._parts.handler.forget()
            if verdict(error) is not Verdict.ISOLATE or not isinstance(error, Exception):
                raise
            return await (self.fire(lanes, limit // 2) if limit > 1 else self._set_aside(lanes, error))
        self._parts.observer.fired(fired)
        return fired

    async def _set_aside(self, lanes: Mapping[int, datetime], error: Exception) -> Sequence[DueInstant]:
        async with self._parts.transactions.begin(lanes) as transaction:
            taken = await due.take(transaction.connection, lanes, 1)
            letters = [dead_letters.of_instant(instant, type(error).__name__) for instant in taken]
            await dead_letters.keep(transaction.connection, self._parts.transactions.claims.group, letters)
        return taken

    async def _decide(
        self, transaction: Transaction, events: Sequence[Received[Any]], fired: Sequence[DueInstant]
    ) -> Decision[Any]:
        handler, observer = self._parts.handler, self._parts.observer
        with observer.phase("load"):
            state = await handler.load(transaction.connection, handler.keys(events, fired))
        now = self._parts.clock.now()
        with observer.phase("decide"):
            if fired or len(events) > LARGE_BATCH:
                # Heartbeats share this event loop: a thread lets it breathe while much is decided. What one instant
                # brings may be as much as a large batch.
                decision = await asyncio.to_thread(handler.decide, events, fired, state, now)
            else:
                decision = handler.decide(events, fired, state, now)
        if len(decision.outcomes) != len(events):
            raise RuntimeError(f"{len(events)} events got {len(decision.outcomes)} outcomes")
        if decision.direct:
            await self._parts.producing.produce(decision.direct)
        with observer.phase("save"):
            await handler.save(transaction.connection, decision.rows)
        self._parts.failpoints.hit("in_transaction")
        await transaction.change_due(decision.due)
        transaction.publish(decision.publications)
        return decision


@dataclass(frozen=True, slots=True)
class _Decoded:
    events: list[Received[Any]]
    letters: list[DeadLetter]


@dataclass(frozen=True, slots=True)
class _Result:
    tally: Tally
    letters: list[DeadLetter]
    dead: Counter[str]
    fuse: Fuse


def _decode(handler: Handler[Any, Any, Any, Any], intake: Intake, gave_up: Poison | None) -> _Decoded:
    events: list[Received[Any]] = []
    letters: list[DeadLetter] = []
    for record in intake.records:
        found = handler.decode(record) if gave_up is None else (gave_up,)
        for index, event in enumerate(found):
            if isinstance(event, Poison):
                letters.append(DeadLetter(record, index, Dead(event)))
            else:
                events.append(Received(record, index, event))
    return _Decoded(events, letters)


def _halves(polled: Mapping[Place, Sequence[Record]], intake: Intake) -> list[dict[Place, list[Record]]]:
    """Split a poll in two, keeping the order within its places; what was read before stays out."""
    rest = [
        (place, record)
        for place, records in polled.items()
        if place in intake.after
        for record in records
        if record.offset >= intake.before[place].next_offset
    ]
    middle = len(rest) // 2
    halves: list[dict[Place, list[Record]]] = []
    for part in (rest[:middle], rest[middle:]):
        half: dict[Place, list[Record]] = {}
        for place, record in part:
            half.setdefault(place, []).append(record)
        halves.append(half)
    return halves
