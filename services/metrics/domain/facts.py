"""Facts: small sums that commute, so that order, batching and lateness of events cannot show in a KPI.

Each kind is a map from a key to a value, and two maps combine value by value: counts and money add up, the two
earliest order days are the two smallest of both, of two states the later one counts. That makes facts a commutative
monoid, with no facts as its zero; repeats are told apart before they come here (activities, changes and messages by
their sequence) or change nothing (customers by their version, memberships by their number).

What was done is kept by identity. Whose an identity is stands beside it and is looked up when a KPI is read, so a merge
corrects the past, and its undoing brings it back.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import TypeVar

from services.metrics.domain.events import ActivitySeen, CustomerSeen, Event, Membership, MessageReached, SegmentChanged
from services.metrics.domain.months import first_of_month

EXACT = Context(prec=100, traps=[Inexact, InvalidOperation, Overflow, DivisionByZero])
"""Adds money without ever rounding: a sum that does not fit is an error, never a near miss."""

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class OrderSum:
    """How many orders, and what they cost."""

    orders: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class FirstDays:
    """The days of an identity's first two orders; no second if there was one."""

    first: int
    second: int | None = None


@dataclass(slots=True)
class Facts:
    """What some events amount to.

    `orders` by (identity, day, currency), `first_days` by identity, `activities` (events) by (identity, first day of
    the month), `changes` (count) by (lane, segment, day, change), `messages` by message key and `customers` by
    customer, each at its latest. `memberships` is (number, customer) by identity, the greatest that was told, and
    number 0 for each customer that another identity was said to be of: so all identities of a customer are in it.
    """

    orders: dict[tuple[bytes, int, str], OrderSum] = field(default_factory=dict)
    first_days: dict[bytes, FirstDays] = field(default_factory=dict)
    activities: dict[tuple[bytes, int], int] = field(default_factory=dict)
    changes: dict[tuple[int, str, int, str], int] = field(default_factory=dict)
    messages: dict[str, MessageReached] = field(default_factory=dict)
    customers: dict[bytes, CustomerSeen] = field(default_factory=dict)
    memberships: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)


def facts_of(events: Iterable[Event]) -> Facts:
    """Return what events amount to, in one pass."""
    facts = Facts()
    for event in events:
        match event:
            case ActivitySeen():
                _count(facts.activities, (event.identity, first_of_month(event.day)), 1)
                if event.membership is not None:
                    _take_membership(facts.memberships, event.membership)
                if event.order is not None:
                    _add_order(facts.orders, (event.identity, event.day, event.order.currency), event.order.amount)
                    _add_days(facts.first_days, event.identity, FirstDays(event.day))
            case SegmentChanged():
                _count(facts.changes, (event.lane, event.segment, event.day, event.change), 1)
            case MessageReached():
                _keep_later(facts.messages, event.message_key, event)
            case CustomerSeen():
                _keep_later(facts.customers, event.customer, event)
                for membership in event.memberships:
                    _take_membership(facts.memberships, membership)
            case _:  # somebody was erased, or nobody moved: nothing is kept
                pass
    return facts


def combine(one: Facts, other: Facts) -> Facts:
    """Return what the events of both amount to: the law that the tables keep to when a batch is added to them."""
    result = Facts(
        dict(one.orders),
        dict(one.first_days),
        dict(one.activities),
        dict(one.changes),
        dict(one.messages),
        dict(one.customers),
        dict(one.memberships),
    )
    for place, total in other.orders.items():
        known = result.orders.get(place)
        result.orders[place] = total if known is None else _sum(known, total)
    for identity, days in other.first_days.items():
        _add_days(result.first_days, identity, days)
    for month, events in other.activities.items():
        _count(result.activities, month, events)
    for flow, count in other.changes.items():
        _count(result.changes, flow, count)
    for key, message in other.messages.items():
        _keep_later(result.messages, key, message)
    for customer, seen in other.customers.items():
        _keep_later(result.customers, customer, seen)
    for identity, told in other.memberships.items():
        _keep_greater(result.memberships, identity, told)
    return result


def earliest_two(one: FirstDays, other: FirstDays) -> FirstDays:
    """Return the two earliest of up to four days; two orders on one day are two days that are equal."""
    days = [day for day in (one.first, one.second, other.first, other.second) if day is not None]
    days.sort()
    return FirstDays(days[0], days[1])


def _sum(one: OrderSum, other: OrderSum) -> OrderSum:
    return OrderSum(one.orders + other.orders, EXACT.add(one.revenue, other.revenue))


def _add_order(orders: dict[tuple[bytes, int, str], OrderSum], key: tuple[bytes, int, str], amount: Decimal) -> None:
    known = orders.get(key)
    orders[key] = OrderSum(1, amount) if known is None else OrderSum(known.orders + 1, EXACT.add(known.revenue, amount))


def _add_days(first_days: dict[bytes, FirstDays], identity: bytes, days: FirstDays) -> None:
    known = first_days.get(identity)
    first_days[identity] = days if known is None else earliest_two(known, days)


def _take_membership(memberships: dict[bytes, tuple[int, bytes]], told: Membership) -> None:
    _keep_greater(memberships, told.identity, (told.number, told.customer))
    _keep_greater(memberships, told.customer, (0, told.customer))


def _keep_greater(memberships: dict[bytes, tuple[int, bytes]], identity: bytes, told: tuple[int, bytes]) -> None:
    memberships[identity] = max(told, memberships.get(identity, told))


def _count(counts: dict[K, int], key: K, count: int) -> None:
    counts[key] = counts.get(key, 0) + count


L = TypeVar("L", MessageReached, CustomerSeen)


def _keep_later(latest: dict[K, L], key: K, seen: L) -> None:
    known = latest.get(key)
    if known is None or seen.order > known.order:
        latest[key] = seen
