"""Folding events of identities that were named together: each moves its identity's state and its customer's join."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from services.profile.domain import fold
from services.profile.domain.clusters import Cluster, Stored
from services.profile.domain.event import Event
from services.profile.domain.extent import MOST_RESOLVED
from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.domain.record import Portrait, portray
from services.profile.domain.settling import Household, RegionChange, Settled, Settlement, Telling
from services.profile.domain.state import State, own
from services.profile.messages import (
    Subject,
    Told,
    activity_message,
    customer_message,
    redirect_message,
    removal_message,
    subject_of,
)
from services.profile.ports import ClusterChange, Entry, GraphChange, Seating
from shared.contracts.customers import CustomerRedirect
from shared.contracts.interactions import Activity
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.runtime.handler import Publication

RESOLVED_EVERY = timedelta(minutes=1)
"""How long a large region is left as it is once events upset it: it costs by the minute and not by the event."""


class Remembered(msgspec.Struct, frozen=True):
    """What a cache may keep: identities that are customers of their own, and clusters with those that were seen.

    Whatever it has of `identities` and `roots` is old.
    """

    identities: Sequence[str]
    roots: Sequence[str]
    alone: Sequence[tuple[str, Stored]]
    clusters: Sequence[tuple[str, Cluster, Mapping[str, Stored]]]


class Folded(msgspec.Struct, frozen=True):
    """What the events amount to besides their own entries and activities; `upset` are regions left to the clock."""

    graph: GraphChange
    publications: Sequence[Publication]
    remembered: Remembered
    upset: Mapping[str, datetime]


@dataclass(slots=True)
class _Draft:
    household: Household
    subject: Subject
    lane: int
    version: int
    state: State
    active: bool
    accepted_at: datetime | None = None

    @property
    def written(self) -> bool:
        return self.version > self.household.base

    @property
    def portrait(self) -> Portrait:
        return portray(self.state, self.household.portrait)


class Folding:
    """Takes the new events of a batch whose owners a settlement tells of."""

    def __init__(
        self,
        settlement: Settlement,
        lanes: int,
        now: datetime,
        stages: Stages = USUAL,
        most: int = MOST_RESOLVED,
    ) -> None:
        self._most = most
        self._settlement = settlement
        self._lanes = lanes
        self._now = now
        self._stages = stages
        self._states: dict[str, State] = {}
        self._drafts = {name: self._draft(household) for name, household in settlement.households.items()}

    def _draft(self, household: Household) -> _Draft:
        name = household.name
        lane = lane_of(name, self._lanes)
        return _Draft(household, subject_of(name), lane, household.base, own(household.state), household.summary.active)

    def knows(self, identity_id: str) -> bool:
        """Tell whether this identity's events are taken here."""
        return identity_id in self._settlement.people

    def take(self, event: Event) -> tuple[Entry, Publication]:
        """Fold an event that was not applied before."""
        person = self._settlement.people[event.owner.id]
        draft = self._drafts[person.customer]
        if not draft.active:
            draft.state = State(event.occurred_at, event.occurred_at, draft.state.identities)
            draft.active = True
        fold.note(draft.state, event)
        draft.version += 1
        draft.accepted_at = event.received_at
        if draft.household.seated:
            fold.note(self._mine(person, event), event)
        activity = activity_of(event, person.customer, draft.version, person.membership)
        message = activity_message(activity, event.interaction.dedupe_key, draft.subject)
        entry = Entry(event, draft.household.key, draft.version, person.membership)
        return entry, Publication(ACTIVITIES.name, draft.lane, event.key, message)

    def _mine(self, person: Settled, event: Event) -> State:
        state = self._states.get(person.ref.id)
        if state is None:
            before = None if person.before is None else person.before.state
            state = self._states[person.ref.id] = alone(event) if before is None else own(before)
        return state

    def restate(self, states: Mapping[str, State]) -> None:
        """Put these in place of what identities' states were."""
        self._states.update(states)

    def done(self) -> Folded:
        """Tell what is to be written, published and remembered."""
        told = self._settlement
        for draft in self._drafts.values():
            if draft.household.touched and not draft.written:
                draft.version += 1
        clusters = {name: _cluster(draft) for name, draft in self._drafts.items() if draft.household.seated}
        rows = {name: self._row(person) for name, person in told.people.items()}
        regions = [self._timed(region) for region in told.regions]
        graph = GraphChange(
            [
                Seating(
                    person.ref, person.key, _version(person.before), row.version,
                    row.state, row.root, row.membership, row.standing,
                )
                for name, person in told.people.items()
                if self._is_written(person, row := rows[name])
            ],
            [
                ClusterChange(name, _version(draft.household.before), clusters[name], draft.household.moves)
                for name, draft in self._drafts.items()
                if draft.household.seated and (draft.written or draft.household.moved)
            ],
            {root: cluster.version for root, cluster in told.gone.items()},
            regions,
            told.regions_gone,
            told.moved_regions,
            told.links,
        )  # fmt: skip
        # One that the clock gave up is brought no more: nothing makes it smaller.
        upset = {one.id: one.due for one in regions if one.due is not None and one.waiting <= self._most}
        return Folded(graph, self._publications(), self._remembered(rows, clusters), upset)

    def _timed(self, region: RegionChange) -> RegionChange:
        if not region.upset or region.due is not None:
            return region
        return msgspec.structs.replace(region, due=self._now + RESOLVED_EVERY)

    def _is_written(self, person: Settled, row: Stored) -> bool:
        return person.changed or row.version != _version(person.before) or person.ref.id in self._states

    def _row(self, person: Settled) -> Stored:
        draft = self._drafts[person.customer]
        if draft.household.seated:
            before = None if person.before is None else person.before.state
            state = self._states.get(person.ref.id, before)
            return Stored(person.version, state, None, person.root, person.membership, person.standing)
        state = draft.state if draft.active else None
        portrait = draft.portrait if draft.active else None
        return Stored(draft.version, state, portrait, None, person.membership, person.standing)

    def _publications(self) -> list[Publication]:
        found = [
            Publication(
                CUSTOMERS.name,
                draft.lane,
                draft.household.key,
                customer_message(
                    Told(draft.version, draft.state, draft.portrait, draft.household.summary.memberships),
                    draft.subject,
                    draft.accepted_at,
                    self._stages,
                ),
            )
            for draft in self._drafts.values()
            if draft.written and draft.active
        ]
        for name, person in self._settlement.people.items():
            draft = self._drafts[person.customer]
            if person.telling is Telling.REDIRECT:
                redirect = CustomerRedirect(
                    customer_id=name, redirect_to=person.customer, memberships={name: person.membership}
                )
                message = redirect_message(redirect, person.version, self._now)
            elif person.telling is Telling.REMOVED and not draft.active:
                message = removal_message(name, draft.version, self._now)
            else:
                continue
            found.append(Publication(CUSTOMERS.name, lane_of(name, self._lanes), person.key, message))
        return found

    def _remembered(self, rows: Mapping[str, Stored], clusters: Mapping[str, Cluster]) -> Remembered:
        told = self._settlement
        together: dict[str, dict[str, Stored]] = {}
        for name, person in told.people.items():
            together.setdefault(person.customer, {})[name] = rows[name]
        return Remembered(
            list(told.people),
            [*told.gone, *told.households],
            [(name, rows[name]) for name, draft in self._drafts.items() if not draft.household.seated],
            [(name, one, together[name]) for name, one in clusters.items() if one.region is None],
        )


def alone(event: Event) -> State:
    """Return the state of an identity whose first event is about to be folded in."""
    return State(event.occurred_at, event.occurred_at, {event.owner.id: event.owner})


def activity_of(event: Event, customer_id: str, version: int, membership: int) -> Activity:
    """Say whose event it was."""
    said = event.interaction
    return Activity(
        message_id=said.message_id,
        source=said.source,
        name=said.name,
        family=said.family,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        customer_id=customer_id,
        identity_id=event.owner.id,
        customer_version=version,
        payload=said.payload,
        context=said.context,
        membership_version=membership,
    )


def _version(row: Stored | Cluster | None) -> int:
    return 0 if row is None else row.version


def _cluster(draft: _Draft) -> Cluster:
    household = draft.household
    summary = household.summary
    if summary.active is not draft.active:
        summary = msgspec.structs.replace(summary, active=draft.active)
    return Cluster(draft.version, household.region, summary, draft.state, draft.portrait if draft.active else None)
