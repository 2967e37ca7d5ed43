"""From raw records to interactions: each event is accepted and passed on, or refused and kept."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection

from services.ingest.domain.problems import Problem
from services.ingest.domain.reading import Reader, Reading, Refused, read
from services.ingest.domain.replaying import Ticket, ticket_of
from services.ingest.domain.tallies import tallied
from services.ingest.messages import dead_letter, interaction_message
from services.ingest.ports import Entry, Quarantine, Rows, SourceFuse
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import INTERACTIONS, RAW_EVENTS_DLQ
from shared.runtime.handler import APPLIED, Dead, Decision, DirectMessage, Outcome
from shared.runtime.logs import logger
from shared.runtime.records import DueInstant, Poison, Received, Record

log = logger(__name__)


class IngestHandler:
    """The handler of ingest: stateless, and deterministic, so that a batch may be done again."""

    def __init__(self, reader: Reader, lanes: int, quarantine: Quarantine, fuse: SourceFuse) -> None:
        self._reader = reader
        self._lanes = lanes
        self._quarantine = quarantine
        self._fuse = fuse

    def decode(self, record: Record) -> Sequence[Reading]:
        """Read the events of a record; a refused one is an event too, for it goes to the quarantine."""
        return read(record, self._reader)

    def keys(self, events: Sequence[Received[Reading]], due: Sequence[DueInstant]) -> None:
        """Name nothing: ingest has no state."""

    async def load(self, connection: AsyncConnection, keys: None) -> None:
        """Read nothing: ingest has no state."""

    def decide(
        self,
        events: Sequence[Received[Reading]],
        due: Sequence[DueInstant],  # noqa: ARG002 - the interface's; we set no instants
        state: None,  # noqa: ARG002 - the interface's; there is none
        now: datetime,
    ) -> Decision[Rows]:
        """Pass on what was accepted, set aside what was refused."""
        outcomes: list[Outcome] = []
        direct: list[DirectMessage] = []
        entries: list[Entry] = []
        settled, reopening = _replays(events)
        for received in events:
            event = received.event
            if isinstance(event, Refused):
                outcomes.append(Dead(_poison(event.problem)))
                ticket = reopening.get(id(received)) if reopening else None
                entries.append(Entry(received.record, received.index, event, now, ticket))
                letter = dead_letter(received.record, received.index, event)
                direct.append(DirectMessage(RAW_EVENTS_DLQ.name, received.lane, letter))
            else:
                outcomes.append(APPLIED)
                lane = lane_of(event.identities[0].id, self._lanes)
                direct.append(DirectMessage(INTERACTIONS.name, lane, interaction_message(event)))
        rows = Rows(entries, tallied(events, self._reader.sources), now, settled)
        return Decision(rows, outcomes, direct=direct)

    async def save(self, connection: AsyncConnection, rows: Rows) -> None:
        """Keep what was refused, and count it against its source's fuse."""
        if rows.entries:
            await self._quarantine.keep(connection, rows.entries)
        if rows.settled:
            # After what is kept: of two copies of a replay one may have been refused, before its source was resumed.
            await self._quarantine.settle(connection, rows.settled, rows.at)
        if rows.tallies:
            for source in await self._fuse.count(connection, rows.tallies, rows.at):
                log.warning(
                    "A source's fuse blew: it is paused until somebody resumes it", action="source.fuse", source=source
                )

    def forget(self) -> None:
        """Nothing is cached but the names of identities, which never change."""


def _replays(events: Sequence[Received[Reading]]) -> tuple[list[Ticket], dict[int, Ticket]]:
    """Find the replays in a batch: tickets of those that went through, and of refused ones by the event's `id()`.

    A batch that was kept whole and now has several events went through: each that is refused is an entry of its own.
    """
    found: dict[tuple[int, int], tuple[Ticket, list[Received[Reading]]]] = {}
    for received in events:
        if received.record.headers:
            ticket = ticket_of(received.record.headers)
            if ticket is not None:
                place = (received.record.partition, received.record.offset)
                found.setdefault(place, (ticket, []))[1].append(received)
    settled: list[Ticket] = []
    reopening: dict[int, Ticket] = {}
    for ticket, members in found.values():
        if len(members) == 1 and isinstance(members[0].event, Refused):
            reopening[id(members[0])] = ticket
        else:
            settled.append(ticket)
    return settled, reopening


def _poison(problem: Problem) -> Poison:
    return Poison(problem.reason.value, problem.path, problem.expected, problem.found)
