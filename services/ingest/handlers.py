"""From raw records to interactions: each event is accepted and passed on, or refused and kept."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection

from services.ingest.domain.problems import Problem
from services.ingest.domain.reading import Reader, Reading, Refused, read
from services.ingest.messages import dead_letter, interaction_message
from services.ingest.ports import Entry, Quarantine
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import INTERACTIONS, RAW_EVENTS_DLQ
from shared.runtime.handler import APPLIED, Dead, Decision, DirectMessage, Outcome
from shared.runtime.records import DueInstant, Poison, Received, Record


class IngestHandler:
    """The handler of ingest: stateless, and deterministic, so that a batch may be done again."""

    def __init__(self, reader: Reader, lanes: int, quarantine: Quarantine) -> None:
        self._reader = reader
        self._lanes = lanes
        self._quarantine = quarantine

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
    ) -> Decision[Sequence[Entry]]:
        """Pass on what was accepted, set aside what was refused."""
        outcomes: list[Outcome] = []
        direct: list[DirectMessage] = []
        entries: list[Entry] = []
        for received in events:
            event = received.event
            if isinstance(event, Refused):
                outcomes.append(Dead(_poison(event.problem)))
                entries.append(Entry(received.record, received.index, event, now))
                letter = dead_letter(received.record, received.index, event)
                direct.append(DirectMessage(RAW_EVENTS_DLQ.name, received.lane, letter))
            else:
                outcomes.append(APPLIED)
                lane = lane_of(event.identities[0].id, self._lanes)
                direct.append(DirectMessage(INTERACTIONS.name, lane, interaction_message(event)))
        return Decision(entries, outcomes, direct=direct)

    async def save(self, connection: AsyncConnection, rows: Sequence[Entry]) -> None:
        """Keep what was refused."""
        if rows:
            await self._quarantine.keep(connection, rows)

    def forget(self) -> None:
        """Nothing is cached but the names of identities, which never change."""


def _poison(problem: Problem) -> Poison:
    return Poison(problem.reason.value, problem.path, problem.expected, problem.found)
