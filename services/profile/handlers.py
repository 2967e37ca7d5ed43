"""Each batch: drop what was seen before, see who is who, fold the rest into its customers, publish both."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import msgspec
from psycopg import AsyncConnection

from services.profile.accounting import AccountSaid, said_of_accounts
from services.profile.docket import UNTANGLE, Docket, Heard
from services.profile.domain import fold
from services.profile.domain.census import MOST_AT_ONCE
from services.profile.domain.clusters import Stored
from services.profile.domain.decisions import Applied
from services.profile.domain.event import Event
from services.profile.domain.extent import MOST_RESOLVED
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.domain.months import split_by_month
from services.profile.domain.record import portray
from services.profile.domain.refusals import Refusals
from services.profile.domain.settling import Settlement
from services.profile.domain.state import State, own
from services.profile.folding import Folded, Folding, Remembered, activity_of, alone
from services.profile.messages import Subject, Told, activity_message, customer_message, subject_of
from services.profile.ports import Change, CustomerStore, Entry, GraphChange
from services.profile.reading import read
from services.profile.refusals_counted import Count, CountGivenUp, RefusalsCounted, none, nowhere
from services.profile.state_cache import StateCache
from services.profile.surveying import Surveyor
from shared.contracts.identities import IdentityRef
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.runtime.handler import APPLIED, DUPLICATE, Conflict, Decision, Outcome, Publication, SetDue
from shared.runtime.records import DueInstant, Poison, Received, Record

CONFLICT = Conflict("another event with the same source and message id was applied before")


class Keys(msgspec.Struct, frozen=True):
    """What a batch touches: identities (id and its bytes), timeline keys by month, and the events themselves."""

    identities: Mapping[str, bytes]
    timeline: Mapping[date, Sequence[bytes]]
    events: Sequence[Event]
    due: Sequence[DueInstant] = ()


class Loaded(msgspec.Struct, frozen=True):
    """What the tables have of it; `settlement` tells who is who of those who were ever named together.

    `heard` is what the clock brought instead of events.
    """

    identities: Mapping[str, Stored]
    hashes: Mapping[bytes, bytes]
    settlement: Settlement | None = None
    heard: Heard | None = None


class Rows(msgspec.Struct, frozen=True):
    """What the batch writes, and what is to be remembered of it."""

    changes: Sequence[Change]
    entries: Sequence[Entry]
    graph: GraphChange | None = None
    remembered: Remembered | None = None
    applied: Sequence[Applied] = ()
    accounts: Mapping[str, AccountSaid] = {}
    left: Refusals = {}
    given_up: int = 0


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

    def __init__(
        self,
        store: CustomerStore,
        cache: StateCache,
        lanes: int,
        rules: IdentityRules,
        at_once: int = MOST_AT_ONCE,
        count_refused: Count = nowhere,
        stages: Stages = USUAL,
        most: int = MOST_RESOLVED,
        count_given_up: CountGivenUp = none,
    ) -> None:
        self._store = store
        self._cache = cache
        self._lanes = lanes
        self._stages = stages
        self._most = most
        self._surveyor = Surveyor(store, cache, rules, at_once, most)
        self._refusals = RefusalsCounted(count_refused, count_given_up)
        self._docket = Docket(store, self._surveyor, most)

    def decode(self, record: Record) -> Sequence[Event | Poison]:
        """Read the one interaction of a record."""
        return (read(record),)

    def keys(self, events: Sequence[Received[Event]], due: Sequence[DueInstant]) -> Keys:
        """Name the identities and the timeline keys of these events."""
        said = [received.event for received in events]
        identities = {event.owner.id: event.owner_key for event in said}
        for event in said:
            for other in event.others:
                identities[other.id] = bytes.fromhex(other.id)
        return Keys(identities, split_by_month([event.key for event in said]), said, due)

    async def load(self, connection: AsyncConnection, keys: Keys) -> Loaded:
        """Read which events are known, the identities that are not in the cache, and who is who of those linked."""
        self._refusals.settled()
        await self._surveyor.begin(connection)
        if keys.due:
            return Loaded({}, {}, heard=await self._docket.hear(connection, keys.due))
        hashes = await self._store.hashes(connection, keys.timeline)
        cached, missing = self._cache.split(keys.identities)
        if missing:
            cached.update(await self._store.identities(connection, missing))
        settlement = await self._surveyor.survey(connection, keys.events, cached, hashes)
        return Loaded(cached, hashes, settlement)

    def decide(
        self, events: Sequence[Received[Event]], due: Sequence[DueInstant], state: Loaded, now: datetime
    ) -> Decision[Rows]:
        """Tell duplicates and conflicts from new events, and fold those; or do what the clock brought."""
        if due:
            return self._by_clock(state.heard, now)
        folding = None if state.settlement is None else self._folding(state.settlement, now)
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
            if folding is not None and folding.knows(customer_id):
                entry, publication = folding.take(event)
                outcomes.append(APPLIED)
                entries.append(entry)
                publications.append(publication)
                continue
            draft = drafts.get(customer_id)
            if draft is None:
                draft = drafts[customer_id] = self._draft(received, state.identities.get(customer_id))
            fold.note(draft.state, event)
            draft.version = version = draft.version + 1
            draft.accepted_at = event.received_at
            outcomes.append(APPLIED)
            entries.append(Entry(event, draft.key, version))
            message = activity_message(
                activity_of(event, customer_id, version, 1), event.interaction.dedupe_key, draft.subject
            )
            publications.append(Publication(topic, draft.lane, event.key, message))
        changes = [_change(draft) for draft in drafts.values()]
        publications += [
            _publication(draft, change, self._stages) for draft, change in zip(drafts.values(), changes, strict=True)
        ]
        accounts = said_of_accounts(entry.event for entry in entries)
        if folding is None:
            return Decision(Rows(changes, entries, accounts=accounts), outcomes, publications)
        folded = folding.done()
        publications += folded.publications
        left = {} if state.settlement is None else state.settlement.left
        rows = Rows(changes, entries, folded.graph, folded.remembered, accounts=accounts, left=left)
        return Decision(rows, outcomes, publications, self._wake(folded))

    def _by_clock(self, heard: Heard | None, now: datetime) -> Decision[Rows]:
        if heard is None:
            return Decision(Rows((), ()), ())
        again = [SetDue(one.lane, one.key, one.at) for one in heard.put_off]
        if heard.settlement is None:
            return Decision(Rows((), (), given_up=heard.given_up), (), (), again)
        folded = self._folding(heard.settlement, now).done()
        rows = Rows((), (), folded.graph, folded.remembered, heard.applied, given_up=heard.given_up)
        return Decision(rows, (), folded.publications, [*again, *self._wake(folded)])

    def _folding(self, settlement: Settlement, now: datetime) -> Folding:
        return Folding(settlement, self._lanes, now, self._stages, self._most)

    def _wake(self, folded: Folded) -> Sequence[SetDue]:
        return [SetDue(lane_of(region, self._lanes), UNTANGLE + region, at) for region, at in folded.upset.items()]

    def _draft(self, received: Received[Event], stored: Stored | None) -> _Draft:
        event = received.event
        subject = subject_of(event.owner.id)
        # Ingest's key is the owner's id, so the lane that the event came in on is the customer's own.
        lane = received.lane if received.record.key == subject.key else lane_of(event.owner.id, self._lanes)
        version = 0 if stored is None else stored.version
        state = alone(event) if stored is None or stored.state is None else own(stored.state)
        return _Draft(event.owner, event.owner_key, subject, lane, stored, version, state, event.received_at)

    async def save(self, connection: AsyncConnection, rows: Rows) -> None:
        """Write customers and timeline; what was written is remembered until something does not commit.

        Raises:
            StaleStateError: somebody else wrote one of them since `load`.
        """
        self._refusals.give_up(rows.given_up)
        if not rows.entries and rows.graph is None:
            return
        await self._store.write(connection, rows.changes, rows.graph, rows.entries)
        if rows.applied:
            await self._store.keep_applied(connection, rows.applied)
        if rows.accounts:
            await self._store.add_to_accounts(connection, rows.accounts)
        self._surveyor.done()
        self._refusals.note(rows.left)
        remembered = rows.remembered
        if remembered is None:
            self._cache.put([(change.owner.id, change.after) for change in rows.changes])
            return
        self._cache.drop(remembered.identities, remembered.roots)
        self._cache.put([(change.owner.id, change.after) for change in rows.changes if change.after.root is None])
        self._cache.put(remembered.alone)
        for root, cluster, identities in remembered.clusters:
            self._cache.put_cluster(root, cluster, identities)

    def forget(self) -> None:
        """Drop every remembered state."""
        self._cache.clear()
        self._store.forget()
        self._surveyor.overtaken()
        self._refusals.forget()


def _change(draft: _Draft) -> Change:
    stored, state = draft.stored, draft.state
    portrait = portray(state, None if stored is None else stored.portrait)
    before = 0 if stored is None else stored.version
    return Change(draft.owner, draft.key, before, Stored(draft.version, state, portrait))


def _publication(draft: _Draft, change: Change, stages: Stages) -> Publication:
    told = Told(draft.version, draft.state, change.after.portrait)
    message = customer_message(told, draft.subject, draft.accepted_at, stages)
    return Publication(CUSTOMERS.name, draft.lane, draft.key, message)
