"""A profile that merges and parts customers, all that it says, and a segmenter that reads it."""

from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from psycopg import AsyncConnection

from services.segmenter.changes_counted import ChangesCounted
from services.segmenter.domain.belonging import owner_in
from services.segmenter.domain.catalogue import Catalogue, Registered
from services.segmenter.domain.customer import UNKNOWN, Customer, pack, unpack, with_event, with_record
from services.segmenter.domain.definitions import read
from services.segmenter.domain.instants import instant, moment
from services.segmenter.domain.record import condense
from services.segmenter.handlers import SegmenterHandler
from services.segmenter.ports import Entry, Stored, Written
from shared.contracts.codec import encode
from shared.contracts.envelope import Order
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.runtime.errors import StaleStateError
from shared.runtime.handler import SetDue
from shared.runtime.metrics import Metrics
from shared.runtime.records import DueInstant, PlainRecord, Poison, Received

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
PEOPLE = tuple(f"{number:x}" * 32 for number in range(1, 6))
LANES = 3
T = TypeVar("T")
NOBODY = cast("AsyncConnection", None)
"""What is kept here is kept in memory: there is no connection."""

SEGMENTS = (
    'segment: once\nrule: {count: Order, operator: "==", value: 1}',
    'segment: twice\nrule: {count: Order, operator: ">=", value: 2}',
    'segment: lately\nrule: {count: Order, within: 1 hour, operator: ">=", value: 1}',
    'segment: never\nrule: {not: {count: Order, operator: ">=", value: 1}}',
    'segment: spender\nrule: {field: orders.count, operator: ">=", value: 2}',
    'segment: first-timer\nrule: {field: orders.count, operator: "==", value: 1}',
)
CATALOGUE = Catalogue(
    1, [Registered(read(f"{number}.yaml", text.encode()), 1, 1) for number, text in enumerate(SEGMENTS)], {}
)


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    raise RuntimeError("it waited")


class Profile:
    """Who is whose customer, and what is said of it: the messages of each lane and topic in their order."""

    def __init__(self) -> None:
        self.customer = {one: one for one in PEOPLE}
        self.membership = dict.fromkeys(PEOPLE, 1)
        self.events: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
        self.version: dict[str, int] = defaultdict(int)
        self.told: set[str] = set()
        self.said: list[PlainRecord] = []

    def family(self, customer: str) -> list[str]:
        """List who is one customer now."""
        return [one for one in PEOPLE if self.customer[one] == customer]

    def was_heard_of(self, identity: str) -> bool:
        """Tell whether anything was said of an identity; who was not can be part of a customer from the beginning."""
        return (
            bool(self.events[identity])
            or self.membership[identity] > 1
            or self.customer[identity] != identity
            or (len(self.family(identity)) > 1)
        )

    def event(self, identity: str, name: str, at: datetime) -> None:
        """Let somebody do something."""
        customer = self.customer[identity]
        self.events[identity].append((name, at))
        self.version[customer] += 1
        value = {
            "message_id": f"m-{len(self.said)}",
            "name": name,
            "occurred_at": at,
            "customer_id": customer,
            "identity_id": identity,
            "customer_version": self.version[customer],
            "membership_version": self.membership[identity],
        }
        self._say(ACTIVITIES.name, customer, value, "activity.recorded.v1")
        self.record(customer)

    def merge(self, absorbed: str, surviving: str) -> None:
        """Make one customer of two."""
        self._move(self.family(absorbed), surviving)
        self.version[surviving] += 1
        self.record(surviving)

    def part(self, leaving: Sequence[str]) -> None:
        """Let identities be a customer of their own, the first of them giving the name."""
        before = self.customer[leaving[0]]
        self.version[leaving[0]] += 1
        self._move(leaving, leaving[0])
        self.version[before] += 1
        for one in (before, leaving[0]):
            self.record(one)

    def _move(self, moving: Sequence[str], customer: str) -> None:
        for one in moving:
            self.membership[one] += 1
            self.customer[one] = customer
            if one in self.told and one != customer:
                self.version[one] += 1
                value = {"customer_id": one, "redirect_to": customer, "memberships": {one: self.membership[one]}}
                self._say(CUSTOMERS.name, one, value, "customer.redirected.v1")

    def record(self, customer: str) -> None:
        """Say what is known of a customer, or that there is nothing if nobody did anything."""
        facts = self.facts(customer)
        if facts is None and customer in self.told:
            self._say(CUSTOMERS.name, customer, None, "customer.removed.v1")
        elif facts is not None:
            self.told.add(customer)
            self._say(CUSTOMERS.name, customer, facts, "customer.updated.v1")

    def facts(self, customer: str) -> dict[str, Any] | None:
        """Draw the record as it is now."""
        family = self.family(customer)
        times = sorted(at for one in family for _, at in self.events[one])
        orders = sorted(at for one in family for name, at in self.events[one] if name == "Order")
        if not times:
            return None
        totals = {"count": len(orders), "revenue": [], "first_at": orders[0], "last_at": orders[-1]} if orders else None
        return {
            "customer_id": customer,
            "identities": [{"id": one, "kind": "user_id", "value": one} for one in family],
            "traits": {},
            "orders": totals,
            "consent": {},
            "first_at": times[0],
            "last_at": times[-1],
            "lifecycle": "visitor",
            "memberships": {one: self.membership[one] for one in family if self.membership[one] > 1},
        }

    def truth(self, now: datetime) -> set[tuple[str, str]]:
        """Judge everybody directly, by all that their identities did."""
        found = set()
        for customer in set(self.customer.values()):
            row = UNKNOWN
            facts = self.facts(customer)
            if facts is None:
                continue
            for one in self.family(customer):
                for name, at in self.events[one]:
                    row = with_event(row, name, instant(at), 1, instant(now))
            judged = with_record(row, Order(1, 1), condense(encode(facts)).facts)
            assert judged is not None
            found |= {(segment.name, customer) for segment in CATALOGUE.segments if segment.holds(judged, instant(now))}
        return found

    def _say(self, topic: str, customer: str, value: dict[str, Any] | None, kind: str) -> None:
        headers = [
            ("ce_type", kind.encode()),
            ("ce_version", b"%d" % self.version[customer]),
            ("ce_incarnation", b"1"),
        ]
        self.said.append(
            PlainRecord(
                topic=topic,
                partition=lane_of(customer, LANES),
                offset=len(self.said),
                key=customer.encode(),
                value=None if value is None else encode(value),
                headers=headers,
            )
        )


@dataclass
class Kept:
    """The segmenter's tables, as far as a handler sees them: rows are kept packed, and written by version."""

    rows: dict[str, tuple[int, int, bytes]] = field(default_factory=dict)

    async def load(self, _connection: AsyncConnection, customer_ids: Sequence[str]) -> Mapping[str, Stored]:
        """Read customers."""
        return {one: self._stored(one) for one in customer_ids if one in self.rows}

    async def families(self, _connection: AsyncConnection, customer_ids: Sequence[str]) -> Mapping[str, Stored]:
        """Read who belongs to customers."""
        rows = {one: self._stored(one).customer for one in self.rows}
        return {one: self._stored(one) for one in self.rows if owner_in(rows, one) in customer_ids}

    async def write(self, _connection: AsyncConnection, rows: Sequence[Written], _entries: Sequence[Entry]) -> None:
        """Write rows that nobody else wrote since they were loaded."""
        for row in rows:
            if self.rows.get(row.customer_id, (0, 0, b""))[0] != row.loaded:
                raise StaleStateError(row.customer_id)
        for row in rows:
            self.rows[row.customer_id] = (row.loaded + 1, row.revision, pack(row.customer))

    def _stored(self, customer_id: str) -> Stored:
        version, revision, doc = self.rows[customer_id]
        return Stored(version, revision, unpack(doc))

    def customers(self) -> dict[str, Customer]:
        """Return everything."""
        return {one: self._stored(one).customer for one in self.rows}


class Segmenter:
    """The handler with its clock, driven as the runtime drives it."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.handler = SegmenterHandler(CATALOGUE, self.kept, ChangesCounted(Metrics("segmenter")), LANES)
        self.due: dict[tuple[int, str], datetime] = {}
        self.now = START

    def copy(self) -> "Segmenter":
        """Return one that read the same until now."""
        other = Segmenter()
        other.kept.rows, other.due, other.now = dict(self.kept.rows), dict(self.due), self.now
        return other

    def feed(self, records: Sequence[PlainRecord]) -> None:
        """Apply records as one batch."""
        events = []
        for record in records:
            (said,) = self.handler.decode(record)
            assert not isinstance(said, Poison), said
            events.append(Received(record, 0, said))
        self._apply(events, ())

    def tick(self) -> None:
        """Fire all that is due, until nothing more is."""
        while fallen := [DueInstant(*place, at) for place, at in sorted(self.due.items()) if at <= self.now]:
            for one in fallen:
                del self.due[one.lane, one.key]
            self._apply((), fallen)

    def _apply(self, events: Sequence[Received[Any]], fallen: Sequence[DueInstant]) -> None:
        state = at_once(self.handler.load(NOBODY, self.handler.keys(events, fallen)))
        decision = self.handler.decide(events, fallen, state, self.now)
        at_once(self.handler.save(NOBODY, decision.rows))
        for change in decision.due:
            if isinstance(change, SetDue):
                self.due[change.lane, change.key] = change.at
            else:
                self.due.pop((change.lane, change.key), None)

    def members(self) -> dict[tuple[str, str], datetime]:
        """Tell who is in, and since when."""
        return {
            (segment, customer_id): moment(standing.at)
            for customer_id, row in self.kept.customers().items()
            for segment, standing in row.standings.items()
            if standing.inside
        }

    def later(self, seconds: float) -> None:
        """Move the clock on, and fire."""
        self.now += timedelta(seconds=seconds)
        self.tick()
