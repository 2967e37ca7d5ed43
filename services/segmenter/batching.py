"""One batch while it is decided: first who belongs to whom, then each message in its order, at one present."""

from collections.abc import Mapping, Sequence

import msgspec

from services.segmenter.domain.belonging import Move, Moving, Relocation, owner
from services.segmenter.domain.catalogue import Catalogue
from services.segmenter.domain.customer import (
    UNKNOWN,
    Customer,
    accompanied,
    changed,
    tied,
    vacated,
    with_event,
    with_own_event,
    with_record,
)
from services.segmenter.domain.instants import instant, moment
from services.segmenter.domain.membership import Transition, next_due, react, settle
from services.segmenter.domain.merging import rejudge
from services.segmenter.ports import Entry, Stored, Written
from services.segmenter.reading import Happened, Recorded, Said, Vacated
from shared.contracts.partitioning import lane_of
from shared.contracts.segments import EventCause, RecordCause
from shared.runtime.handler import APPLIED, DUPLICATE, ClearDue, DueChange, Outcome, SetDue
from shared.runtime.records import DueInstant, Received


class Loaded(msgspec.Struct, frozen=True):
    """What the tables have of a batch's customers, and which identities it says are whose."""

    rows: Mapping[str, Stored]
    moves: Mapping[str, Move]


class _Draft(msgspec.Struct, gc=False):
    """A customer while a batch is applied."""

    lane: int
    loaded: int
    revision: int
    customer: Customer
    fired: bool = False


class Batch:
    """Customers as they are after what was applied so far; `entries` are their changes in order."""

    def __init__(self, catalogue: Catalogue, loaded: Loaded, lanes: int, now: int) -> None:
        self._catalogue = catalogue
        self._rows = loaded.rows
        self._moves = loaded.moves
        self._lanes = lanes
        self._now = now
        self._drafts: dict[str, _Draft] = {}
        self.entries: list[Entry] = []

    def move(self) -> None:
        """Let identities go where the batch says that they are, and judge whom that changes.

        Before anything else in the batch: what one of its events does is told from what the merge did that it made.
        """
        if not self._moves:
            return
        rows = {one: stored.customer for one, stored in self._rows.items()}
        found = Moving(rows, self._moves).relocate(self._now)
        for customer_id in sorted(found.rows):
            self._relocated(customer_id, found)

    def _relocated(self, customer_id: str, found: Relocation) -> None:
        draft = self._draft(customer_id, lane_of(customer_id, self._lanes))
        before, after = draft.customer, found.rows[customer_id]
        parted = customer_id in found.parted
        draft.customer, transitions = rejudge(
            self._catalogue, self._catalogue.timed, before, after, self._now, parted=parted
        )
        self._note(customer_id, draft, transitions, None)

    def fire(self, due: DueInstant) -> None:
        """Settle a customer by the clock; an instant of somebody unknown means nothing any more."""
        stored = self._rows.get(due.key)
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
        match said:
            case Happened():
                return self._happened(said, received.lane)
            case Recorded():
                return self._recorded(said, received.lane)
            case Vacated():
                return self._vacated(said, received.lane)

    def _happened(self, said: Happened, lane: int) -> Outcome:
        identity = said.identity
        stored = self._rows.get(identity)
        draft = self._drafts.get(identity)
        before = draft.customer if draft else stored.customer if stored else UNKNOWN
        if before.ties is not None or identity != said.customer:
            return self._happened_among(said, lane)
        after = with_event(before, said.name, said.at, said.customer_version, self._now)
        if draft is None:
            draft = self._draft(identity, lane)
        self._react(identity, draft, before, after, said)
        return APPLIED

    def _happened_among(self, said: Happened, lane: int) -> Outcome:
        """Count an event of an identity that has to do with others: for itself, and for the customer it belongs to."""
        identity, now = said.identity, self._now
        customer_id = owner(identity, self._customer_of)
        its_own = customer_id == said.customer
        draft = self._draft(customer_id, lane if its_own else lane_of(customer_id, self._lanes))
        before = draft.customer
        if its_own and not before.known:
            # Known by what others did before they became part of it: that is not this event's doing.
            named = changed(before, customer_version=max(before.customer_version, said.customer_version))
            before, transitions = rejudge(self._catalogue, (), before, named, now, parted=False)
            self._note(customer_id, draft, transitions, None)
        if customer_id != identity:
            before = accompanied(before, now)
        after = with_event(before, said.name, said.at, said.customer_version if its_own else 0, now)
        if customer_id == identity:
            after = with_own_event(after, said.name, said.at, now)
        else:
            member = self._draft(identity, lane_of(identity, self._lanes))
            member.customer = with_own_event(member.customer, said.name, said.at, now)
        self._react(customer_id, draft, before, after, said)
        return APPLIED

    def _react(self, customer_id: str, draft: _Draft, before: Customer, after: Customer, said: Happened) -> None:
        awake = self._catalogue.of_event(said.name)
        if not awake and before.known:
            draft.customer = after
            return
        cause = EventCause(said.message_id)
        draft.customer, transitions = react(self._catalogue, awake, before, after, cause, said.at, self._now)
        if transitions:
            self._note(customer_id, draft, transitions, said.accepted_at)

    def _recorded(self, said: Recorded, lane: int) -> Outcome:
        before = self._current(said.customer)
        after = with_record(before, said.order, said.record)
        if after is None:
            return DUPLICATE
        catalogue, now, ties = self._catalogue, self._now, before.ties
        merged = back = False
        if said.record is not None and (ties is not None or said.memberships):
            back = ties is not None and ties.gone
            heard, known = (b"", 0) if ties is None else (ties.heard, ties.identities)
            # Identities of a record only ever become more, unless they are somebody else's now.
            merged = back or heard != said.heard or said.identities < known
            after = tied(after, gone=False, heard=said.heard, identities=said.identities)
        draft = self._draft(said.customer, lane)
        if merged:
            after, transitions = rejudge(catalogue, catalogue.of_record, before, after, now, parted=back)
            # Whoever became part of it is in its record now: what they bring along was judged.
            after = tied(after, carried=None)
        else:
            cause = RecordCause(said.order.number)
            after, transitions = react(catalogue, catalogue.of_record, before, after, cause, now, now)
        draft.customer = after
        self._note(said.customer, draft, transitions, said.accepted_at)
        return APPLIED

    def _vacated(self, said: Vacated, lane: int) -> Outcome:
        before = self._current(said.customer)
        after = vacated(before, said.order, self._now)
        if after is None:
            return DUPLICATE
        draft = self._draft(said.customer, lane)
        draft.customer, transitions = rejudge(self._catalogue, (), before, after, self._now, parted=True)
        self._note(said.customer, draft, transitions, None)
        return APPLIED

    def written(self) -> tuple[list[Written], list[DueChange]]:
        """Sum up: rows, and when to look again."""
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
            moved = customer.ties is not None and self._has_moved(customer_id, customer)
            rows.append(Written(customer_id, draft.lane, draft.loaded, draft.revision, customer, moved))
        return rows, clock

    def _has_moved(self, customer_id: str, customer: Customer) -> bool:
        stored = self._rows.get(customer_id)
        before = None if stored is None or stored.customer.ties is None else stored.customer.ties.customer
        return customer.ties is not None and customer.ties.customer != before

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
            stored = self._rows.get(customer_id)
            current = self._catalogue.revision
            if stored is None:
                draft = _Draft(lane, 0, current, UNKNOWN)
            else:
                # A newer catalogue than ours judged it: ours counts until we are replaced, so it must look again then.
                draft = _Draft(lane, stored.version, min(stored.revision, current), stored.customer)
            self._drafts[customer_id] = draft
        return draft

    def _current(self, customer_id: str) -> Customer:
        draft = self._drafts.get(customer_id)
        if draft is not None:
            return draft.customer
        stored = self._rows.get(customer_id)
        return UNKNOWN if stored is None else stored.customer

    def _customer_of(self, identity: str) -> str | None:
        ties = self._current(identity).ties
        return None if ties is None else ties.customer

    def _note(
        self, customer_id: str, draft: _Draft, transitions: Sequence[Transition], accepted_at: str | None
    ) -> None:
        self.entries += [Entry(customer_id, draft.lane, self._now, accepted_at, one) for one in transitions]
