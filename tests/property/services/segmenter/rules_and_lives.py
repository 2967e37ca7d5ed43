"""Random rules, random lives, and the plainest possible reading of one on the other."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from services.segmenter.domain.customer import UNKNOWN, Customer, with_event, with_record
from services.segmenter.domain.instants import instant
from services.segmenter.domain.record import condense
from services.segmenter.domain.rules import All, AnyOf, Compare, Count, Not, Rule
from shared.contracts.codec import encode
from shared.contracts.envelope import Order

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
NAMES = ("Order Completed", "Product Viewed")
WINDOWS = {
    "1 second": timedelta(seconds=1),
    "5 seconds": timedelta(seconds=5),
    "2 hours": timedelta(hours=2),
    "30 days": timedelta(days=30),
    "400 days": timedelta(days=400),
}
TRAITS = ("AT", "DE", "2026-01-31", 1, 3, Decimal("2.5"), True, None, ["a list"])


@dataclass(frozen=True, slots=True)
class Life:
    """What happened to somebody: events as (name, time), and what their record says (none before the first)."""

    events: tuple[tuple[str, datetime], ...] = ()
    record: dict[str, Any] | None = field(default=None)


# Times close to the windows' ends, and at them, on both sides of now; microseconds so that ties and gaps both happen.
_AGES = st.one_of(
    st.sampled_from([*WINDOWS.values(), timedelta(0), timedelta(minutes=-5)]).flatmap(
        lambda age: st.integers(-2, 2).map(lambda tick: age + timedelta(microseconds=tick))
    ),
    st.timedeltas(min_value=timedelta(seconds=-2), max_value=timedelta(seconds=7)),
    st.timedeltas(min_value=timedelta(minutes=-5), max_value=timedelta(0)),
    st.timedeltas(min_value=timedelta(days=25), max_value=timedelta(days=35)),
    st.timedeltas(min_value=timedelta(days=399), max_value=timedelta(days=500)),
)

records = st.fixed_dictionaries(
    {
        "traits": st.dictionaries(st.sampled_from(["country", "age"]), st.sampled_from(TRAITS)),
        "orders": st.integers(0, 3),
        "revenue": st.dictionaries(st.sampled_from(["EUR", "USD"]), st.sampled_from(["35.50", "0.10", "100"])),
        "consent": st.dictionaries(st.just("marketing/email"), st.sampled_from(["given", "withdrawn"])),
        "lifecycle": st.sampled_from(["visitor", "lead", "customer"]),
        "last_at": st.sampled_from([NOW, NOW - timedelta(days=300)]),
    }
)
lives = st.builds(
    Life,
    events=st.lists(
        st.tuples(st.sampled_from([NAMES[0], NAMES[0], NAMES[1]]), _AGES.map(lambda age: NOW - age)), max_size=12
    ).map(tuple),
    record=st.none() | records,
)

_ORDERING = ("<", "<=", ">", ">=")
_EQUALITY = ("==", "!=")

counts = st.builds(
    Count,
    count=st.sampled_from([NAMES[0], NAMES[0], NAMES[1]]),
    within=st.none() | st.sampled_from(sorted(WINDOWS)),
    operator=st.sampled_from([*_EQUALITY, *_ORDERING]),
    value=st.sampled_from([1, 1, 1, 2, 2, 3, 0]),
)


def _compare(paths: list[str], operators: tuple[str, ...], values: tuple[Any, ...]) -> st.SearchStrategy[Compare]:
    return st.builds(
        Compare, field=st.sampled_from(paths), operator=st.sampled_from(operators), value=st.sampled_from(values)
    )


compares = st.one_of(
    _compare(["traits.country", "traits.age"], _EQUALITY, ("AT", 1, 3, Decimal("2.5"), True, "2026-01-31")),
    _compare(["traits.country", "traits.age"], _ORDERING, (3, Decimal("2.5"), "2026-01-30", "2026-01-31T00:00:00Z")),
    _compare(["traits.country", "traits.age"], ("in",), (("AT", 3), (True,), ("DE", Decimal(3)))),
    _compare(["traits.age", "orders.last_at", "consent.marketing/email"], ("exists",), (None,)),
    _compare(["orders.count", "orders.revenue.EUR"], (*_EQUALITY, *_ORDERING), (0, 1, Decimal("35.5"))),
    _compare(["last_at"], (*_EQUALITY, *_ORDERING), ("2026-11-22T09:30:00Z", "2026-06-01")),
    _compare(["lifecycle"], _EQUALITY, ("lead", "customer")),
    _compare(["consent.marketing/email"], ("in", "in"), (("given",), ("given", "withdrawn"))),
)


def _parts(part: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(part, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        several.map(lambda rules: All(all=rules)),
        several.map(lambda rules: AnyOf(any=rules)),
        part.map(lambda rule: Not.model_validate({"not": rule})),
    )


rules: st.SearchStrategy[Rule] = st.one_of(counts, compares, st.recursive(counts | compares, _parts, max_leaves=6))


def published(record: dict[str, Any]) -> bytes:
    """Write a record as profile publishes it."""
    at = record["last_at"]
    revenue = [{"amount": amount, "currency": currency} for currency, amount in record["revenue"].items()]
    orders = {"count": record["orders"], "revenue": revenue, "first_at": at, "last_at": at}
    return encode(
        {
            "customer_id": "5f" * 16,
            "identities": [],
            "traits": {name: {"value": value, "source": "s", "at": at} for name, value in record["traits"].items()},
            "orders": orders if record["orders"] else None,
            "consent": {key: {"state": state, "at": at} for key, state in record["consent"].items()},
            "first_at": at,
            "last_at": at,
            "lifecycle": record["lifecycle"],
        }
    )


def customer_of(life: Life, now: datetime = NOW) -> Customer:
    """Let the segmenter live through a life, in the order of the list."""
    customer = UNKNOWN
    for name, at in life.events:
        customer = with_event(customer, name, instant(at), 1, instant(now))
    if life.record is not None:
        later = with_record(customer, Order(1, 1), condense(published(life.record)).facts)
        assert later is not None
        customer = later
    return customer
