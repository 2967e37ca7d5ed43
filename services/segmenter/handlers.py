"""Each batch: learn what was said, judge what it can change, publish who entered and who left, set the clock."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from psycopg import AsyncConnection

from services.segmenter.batching import Batch, Loaded
from services.segmenter.domain.belonging import Move, Moving, offer
from services.segmenter.domain.catalogue import Catalogue
from services.segmenter.domain.instants import instant, moment
from services.segmenter.messages import change_key, change_message, membership_key, membership_message
from services.segmenter.ports import ChangeLog, CustomerStore, Entry, Stored, Written
from services.segmenter.reading import Happened, Recorded, Said, read
from shared.contracts.segments import SegmentMembership
from shared.contracts.topics import SEGMENT_CHANGES, SEGMENT_MEMBERSHIPS
from shared.runtime.handler import Decision, Publication
from shared.runtime.records import DueInstant, Poison, Received, Record


class Keys(msgspec.Struct, frozen=True):
    """What a batch touches: customers and identities, whose the latter are, and records that say so of many."""

    ids: Sequence[str]
    moves: Mapping[str, Move]
    records: Sequence[Recorded]


class Rows(msgspec.Struct, frozen=True):
    """What a batch writes: customers by id, changes in their order."""

    customers: Sequence[Written]
    entries: Sequence[Entry]


class SegmenterHandler:
    """Judges customers by the definitions of one catalogue.

    A row keeps the revision of the catalogue that judged all its segments last. Until a row of an older one is settled
    by the instant that the sweep set for it, events change only what they make true or false themselves.

    An event of a customer of one identity reads and writes one row; of several, two: the identity's and the customer's,
    whose tallies are those of all identities. Whoever changes anything of an identity writes its customer's row too, so
    that row's version guards them all. Who belongs to a customer is read only when somebody leaves it.
    """

    def __init__(self, catalogue: Catalogue, store: CustomerStore, changes: ChangeLog, lanes: int) -> None:
        self._catalogue = catalogue
        self._store = store
        self._changes = changes
        self._lanes = lanes

    def decode(self, record: Record) -> Sequence[Said | Poison]:
        """Read the one message of a record."""
        return (read(record),)

    def keys(self, events: Sequence[Received[Said]], due: Sequence[DueInstant]) -> Keys:
        """Name the customers and identities, sorted."""
        self._changes.settled()
        ids = {one.key for one in due}
        moves: dict[str, Move] = {}
        records = []
        for received in events:
            said = received.event
            ids.add(said.customer)
            if isinstance(said, Happened):
                if said.identity != said.customer or said.membership > 1:
                    ids.add(said.identity)
                    offer(moves, said.identity, Move(said.customer, said.membership))
            elif isinstance(said, Recorded):
                if said.memberships:
                    records.append(said)
            else:
                for identity, membership in said.memberships.items():
                    offer(moves, identity, Move(said.leads_to, membership))
        return Keys(sorted(ids), moves, records)

    async def load(self, connection: AsyncConnection, keys: Keys) -> Loaded:
        """Read the customers that are known, and all who are concerned when identities move."""
        rows = dict(await self._store.load(connection, keys.ids))
        moves = dict(keys.moves)
        for said in keys.records:
            if not _was_heard(said, rows.get(said.customer)):
                for identity, membership in said.memberships.items():
                    offer(moves, identity, Move(said.customer, membership))
        if not moves and all(stored.customer.ties is None for stored in rows.values()):
            return Loaded(rows, moves)
        seen, families = set(keys.ids), set[str]()
        while (wanting := _moving(rows, moves).wanting(seen, families)) is not None:
            if wanting.families:
                rows.update(await self._store.families(connection, sorted(wanting.families)))
                families |= wanting.families
                seen |= rows.keys()
            else:
                rows.update(await self._store.load(connection, sorted(wanting.ids)))
                seen |= wanting.ids
        return Loaded(rows, moves)

    def decide(
        self, events: Sequence[Received[Said]], due: Sequence[DueInstant], state: Loaded, now: datetime
    ) -> Decision[Rows]:
        """Judge the instants that fell due, who moved, then each message in its order, all at the present `now`."""
        batch = Batch(self._catalogue, state, self._lanes, instant(now))
        for one in due:
            batch.fire(one)
        batch.move()
        outcomes = [batch.apply(received) for received in events]
        rows, clock = batch.written()
        return Decision(Rows(rows, batch.entries), outcomes, _publications(batch.entries), clock)

    async def save(self, connection: AsyncConnection, rows: Rows) -> None:
        """Write customers, memberships and history.

        Raises:
            StaleStateError: a customer was written by somebody else since `load`.
        """
        if rows.customers:
            await self._store.write(connection, rows.customers, rows.entries)
            self._changes.note(rows.entries)

    def forget(self) -> None:
        """Drop the count of changes that did not commit; no state is cached."""
        self._changes.forget()


def _was_heard(said: Recorded, stored: Stored | None) -> bool:
    return stored is not None and stored.customer.ties is not None and stored.customer.ties.heard == said.heard


def _moving(rows: Mapping[str, Stored], moves: Mapping[str, Move]) -> Moving:
    return Moving({one: stored.customer for one, stored in rows.items()}, moves)


def _publications(entries: Sequence[Entry]) -> list[Publication]:
    publications = []
    last: dict[bytes, Publication] = {}
    for entry in entries:
        segment, standing = entry.transition.segment, entry.transition.standing
        key = change_key(entry.customer_id, segment, standing.sequence)
        publications.append(Publication(SEGMENT_CHANGES.name, entry.lane, key, change_message(entry)))
        key = membership_key(entry.customer_id, segment)
        membership = SegmentMembership(
            segment=segment,
            definition_version=standing.definition_version,
            customer_id=entry.customer_id,
            since=moment(standing.at),
            sequence=standing.sequence,
        )
        message = membership_message(membership, inside=standing.inside)
        # A state topic needs only where things stand at the end of the batch.
        last[key] = Publication(SEGMENT_MEMBERSHIPS.name, entry.lane, key, message)
    return publications + list(last.values())
