"""Each batch: learn what was said, judge what it can change, publish who entered and who left, set the clock."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from psycopg import AsyncConnection

from services.segmenter.domain.catalogue import Catalogue
from services.segmenter.domain.customer import UNKNOWN, Customer, changed, with_event, with_record
from services.segmenter.domain.instants import instant, moment
from services.segmenter.domain.membership import Transition, next_due, react, settle
from services.segmenter.messages import change_key, change_message, membership_key, membership_message
from services.segmenter.ports import ChangeLog, CustomerStore, Entry, Stored, Written
from services.segmenter.reading import Happened, Recorded, Said, read
from shared.contracts.segments import EventCause, RecordCause, SegmentMembership
from shared.contracts.topics import SEGMENT_CHANGES, SEGMENT_MEMBERSHIPS
from shared.runtime.handler import (
    APPLIED,
    DUPLICATE,
    ClearDue,
    Decision,
    DueChange,
    Outcome,
    Publication,
    SetDue,
)
from shared.runtime.records import DueInstant, Poison, Received, Record


class Rows(msgspec.Struct, frozen=True):
    """What a batch writes: customers by id, changes in their order."""

    customers: Sequence[Written]
    entries: Sequence[Entry]


class _Draft(msgspec.Struct, gc=False):
    """A customer while a batch is applied."""

    lane: int
    loaded: int
    revision: int
    customer: Customer
    fired: bool = False


class SegmenterHandler:
    """Judges customers by the definitions of one catalogue.

    A row keeps the revision of the catalogue that judged all its segments last. Until a row of an older one is settled
    by the instant that the sweep set for it, events change only what they make true or false themselves.
    """

    def __init__(self, catalogue: Catalogue, store: CustomerStore, changes: ChangeLog) -> None:
        self._catalogue = catalogue
        self._store = store
        self._changes = changes

    def decode(self, record: Record) -> Sequence[Said | Poison]:
        """Read the one message of a record."""
        return (read(record),)

    def keys(self, events: Sequence[Received[Said]], due: Sequence[DueInstant]) -> Sequence[str]:
        """Name the customers, sorted."""
        self._changes.settled()
        return sorted({received.event.customer for received in events} | {one.key for one in due})

    async def load(self, connection: AsyncConnection, keys: Sequence[str]) -> Mapping[str, Stored]:
        """Read the customers that are known."""
        return await self._store.load(connection, keys)

    def decide(
        self,
        events: Sequence[Received[Said]],
        due: Sequence[DueInstant],
        state: Mapping[str, Stored],
        now: datetime,
    ) -> Decision[Rows]:
        """Judge the instants that fell due, then each message in its order, all at the present `now`."""
        batch = _Batch(self._catalogue, state, instant(now))
        for one in due:
            batch.fire(one)
        outcomes = [batch.apply(received) for received in events]
        return batch.decision(outcomes)

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


class _Batch:
    """One batch while it is decided."""

    def __init__(self, catalogue: Catalogue, state: Mapping[str, Stored], now: int) -> None:
        self._catalogue = catalogue
        self._state = state
        self._now = now
        self._drafts: dict[str, _Draft] = {}
        self._entries: list[Entry] = []

    def fire(self, due: DueInstant) -> None:
        """Settle a customer by the clock; an instant of somebody unknown means nothing any more."""
        stored = self._state.get(due.key)
        if stored is None:
            return
        draft = self._draft(due.key, due.lane)
        draft.fired = True
        asked = draft.customer.due
        at = instant(due.at)
        since = at if asked is None else min(at, asked)
        after, transitions = settle(self._catalogue, draft.customer, draft.revision, since, self._now)
        draft.customer, draft.revision = after, self._catalogue.revision
        self._note(due.key, draft, transitions, None)

    def apply(self, received: Received[Said]) -> Outcome:
        """Apply one message."""
        said = received.event
        stored = self._state.get(said.customer)
        draft = self._drafts.get(said.customer)
        before = draft.customer if draft else stored.customer if stored else UNKNOWN
        catalogue, now = self._catalogue, self._now
        match said:
            case Happened():
                after = with_event(before, said.name, said.at, said.customer_version, now)
                awake = catalogue.of_event(said.name)
                if not awake and before.known:
                    transitions: Sequence[Transition] = ()
                else:
                    cause = EventCause(said.message_id)
                    after, transitions = react(catalogue, awake, before, after, cause, said.at, now)
            case Recorded():
                later = with_record(before, said.order, said.record)
                if later is None:
                    return DUPLICATE
                version = RecordCause(said.order.number)
                after, transitions = react(catalogue, catalogue.of_record, before, later, version, now, now)
        if draft is None:
            draft = self._draft(said.customer, received.lane)
        draft.customer = after
        if transitions:
            self._note(said.customer, draft, transitions, said.accepted_at)
        return APPLIED

    def decision(self, outcomes: Sequence[Outcome]) -> Decision[Rows]:
        """Sum up: rows, messages, and when to look again."""
        clock: list[DueChange] = []
        rows = []
        for customer_id, draft in sorted(self._drafts.items()):
            due = self._due(draft)
            if due is None:
                if draft.customer.due is not None:
                    clock.append(ClearDue(draft.lane, customer_id))
            elif due != draft.customer.due or draft.fired:
                clock.append(SetDue(draft.lane, customer_id, moment(due)))
            customer = draft.customer if due == draft.customer.due else changed(draft.customer, due=due)
            rows.append(Written(customer_id, draft.lane, draft.loaded, draft.revision, customer))
        return Decision(Rows(rows, self._entries), outcomes, self._publications(), clock)

    def _due(self, draft: _Draft) -> int | None:
        asked = draft.customer.due
        if not draft.fired and (
            draft.revision != self._catalogue.revision or (asked is not None and asked <= self._now)
        ):
            # The instant that is set, or that the sweep sets for a new definition, has yet to fire: leave it alone.
            return asked
        return next_due(self._catalogue, draft.customer, self._now)

    def _draft(self, customer_id: str, lane: int) -> _Draft:
        draft = self._drafts.get(customer_id)
        if draft is None:
            stored = self._state.get(customer_id)
            current = self._catalogue.revision
            if stored is None:
                draft = _Draft(lane, 0, current, UNKNOWN)
            else:
                # A newer catalogue than ours judged it: ours counts until we are replaced, so it must look again then.
                draft = _Draft(lane, stored.version, min(stored.revision, current), stored.customer)
            self._drafts[customer_id] = draft
        return draft

    def _note(
        self, customer_id: str, draft: _Draft, transitions: Sequence[Transition], accepted_at: str | None
    ) -> None:
        self._entries += [Entry(customer_id, draft.lane, self._now, accepted_at, one) for one in transitions]

    def _publications(self) -> list[Publication]:
        publications = []
        last: dict[bytes, Publication] = {}
        for entry in self._entries:
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
