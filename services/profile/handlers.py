"""Each batch: drop what was seen before, fold the rest into its customers, publish both."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import msgspec
from psycopg import AsyncConnection

from services.profile.domain import fold
from services.profile.domain.event import Event
from services.profile.domain.months import split_by_month
from services.profile.domain.record import portray
from services.profile.domain.state import State, own
from services.profile.messages import Subject, activity_message, customer_message, subject_of
from services.profile.ports import Change, CustomerStore, Entry, Stored
from services.profile.reading import read
from services.profile.state_cache import StateCache
from shared.contracts.identities import IdentityRef
from shared.contracts.interactions import Activity
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.runtime.handler import APPLIED, DUPLICATE, Conflict, Decision, Outcome, Publication
from shared.runtime.records import DueInstant, Poison, Received, Record

CONFLICT = Conflict("another event with the same source and message id was applied before")


class Keys(msgspec.Struct, frozen=True):
    """What a batch touches: customers (id and its bytes) and timeline keys by month."""

    customers: Mapping[str, bytes]
    timeline: Mapping[date, Sequence[bytes]]


class Loaded(msgspec.Struct, frozen=True):
    """What the tables have of it."""

    customers: Mapping[str, Stored]
    hashes: Mapping[bytes, bytes]


class Rows(msgspec.Struct, frozen=True):
    """What the batch writes."""

    changes: Sequence[Change]
    entries: Sequence[Entry]


class _Draft(msgspec.Struct, gc=False):
    """A customer while a batch is folded into it."""

    owner: IdentityRef
    key: bytes
    subject: Subject
    lane: int
    stored: Stored | None
    version: int
    state: State
    accepted_at: datetime


class ProfileHandler:
    """Folds interactions into customers.

    An event raises its customer's version by one, and its activity carries the version that first contains it. The
    record itself is published once a batch, at the last of these versions: who reads activity and record by version
    sees no difference but fewer messages.
    """

    def __init__(self, store: CustomerStore, cache: StateCache, lanes: int) -> None:
        self._store = store
        self._cache = cache
        self._lanes = lanes

    def decode(self, record: Record) -> Sequence[Event | Poison]:
        """Read the one interaction of a record."""
        return (read(record),)

    def keys(self, events: Sequence[Received[Event]], due: Sequence[DueInstant]) -> Keys:
        """Name the customers and the timeline keys of these events."""
        del due  # nothing here happens by the clock
        customers = {received.event.owner.id: received.event.owner_key for received in events}
        return Keys(customers, split_by_month([received.event.key for received in events]))

    async def load(self, connection: AsyncConnection, keys: Keys) -> Loaded:
        """Read which events are known, and the customers that are not in the cache."""
        hashes = await self._store.hashes(connection, keys.timeline)
        cached, missing = self._cache.split(keys.customers)
        if missing:
            cached.update(await self._store.customers(connection, missing))
        return Loaded(cached, hashes)

    def decide(
        self, events: Sequence[Received[Event]], due: Sequence[DueInstant], state: Loaded, now: datetime
    ) -> Decision[Rows]:
        """Tell duplicates and conflicts from new events, and fold those."""
        del due, now
        hashes = dict(state.hashes)
        drafts: dict[str, _Draft] = {}
        outcomes: list[Outcome] = []
        entries: list[Entry] = []
        publications: list[Publication] = []
        topic = ACTIVITIES.name
        for received in events:
            event = received.event
            known = hashes.get(event.key)
            if known is not None:
                outcomes.append(DUPLICATE if known == event.payload_hash else CONFLICT)
                continue
            hashes[event.key] = event.payload_hash
            customer_id = event.owner.id
            draft = drafts.get(customer_id)
            if draft is None:
                draft = drafts[customer_id] = self._draft(received, state.customers.get(customer_id))
            fold.apply(draft.state, event)
            draft.version = version = draft.version + 1
            draft.accepted_at = event.received_at
            outcomes.append(APPLIED)
            entries.append(Entry(event, version))
            message = activity_message(_activity(event, version), event.interaction.dedupe_key, draft.subject)
            publications.append(Publication(topic, draft.lane, event.key, message))
        changes = [_change(draft) for draft in drafts.values()]
        publications += [_publication(draft, change) for draft, change in zip(drafts.values(), changes, strict=True)]
        return Decision(Rows(changes, entries), outcomes, publications)

    def _draft(self, received: Received[Event], stored: Stored | None) -> _Draft:
        event = received.event
        subject = subject_of(event.owner.id)
        # Ingest's key is the owner's id, so the lane that the event came in on is the customer's own.
        lane = received.lane if received.record.key == subject.key else lane_of(event.owner.id, self._lanes)
        version = 0 if stored is None else stored.version
        state = fold.begin(event.occurred_at) if stored is None else own(stored.state)
        return _Draft(event.owner, event.owner_key, subject, lane, stored, version, state, event.received_at)

    async def save(self, connection: AsyncConnection, rows: Rows) -> None:
        """Write customers and timeline; what was written is remembered until something does not commit.

        Raises:
            StaleStateError: somebody else wrote one of them since `load`.
        """
        if rows.entries:
            await self._store.write(connection, rows.changes, rows.entries)
            self._cache.put([(change.owner.id, change.after) for change in rows.changes])

    def forget(self) -> None:
        """Drop every remembered state."""
        self._cache.clear()
        self._store.forget()


def _activity(event: Event, version: int) -> Activity:
    said = event.interaction
    customer_id = event.owner.id
    return Activity(
        message_id=said.message_id,
        source=said.source,
        name=said.name,
        family=said.family,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        customer_id=customer_id,
        identity_id=customer_id,
        customer_version=version,
        payload=said.payload,
        context=said.context,
    )


def _change(draft: _Draft) -> Change:
    stored, state = draft.stored, draft.state
    portrait = portray(state, None if stored is None else stored.portrait)
    before = 0 if stored is None else stored.version
    return Change(draft.owner, draft.key, before, Stored(draft.version, state, portrait))


def _publication(draft: _Draft, change: Change) -> Publication:
    message = customer_message(change.after, draft.subject, draft.accepted_at)
    return Publication(CUSTOMERS.name, draft.lane, draft.key, message)
