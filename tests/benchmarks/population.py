"""Fills profile's tables with customers as its own code leaves them, by COPY: a million in well under two minutes."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import msgspec
import psycopg

from services.profile.domain import fold
from services.profile.domain.event import event_of
from services.profile.domain.state import Register, State, dump
from shared.contracts.codec import decode
from shared.contracts.identities import IdentityKind, IdentityRef, identity_id
from shared.contracts.interactions import Interaction
from tests.benchmarks.baskets import Basket
from tests.benchmarks.interactions import SECRET, apart, interactions

_KIND = IdentityKind.USER_ID.value
_COPY = "COPY profile.identities (id, kind, value, version, doc) FROM STDIN WITH (FORMAT binary)"
_SIGNATURE, _TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_HEAD = struct.Struct("!hi16si7si")
_TAIL = struct.Struct("!iqi")
_ROWS = 2000
_TRAITS = {
    "email": b'"ada.lovelace@example.org"',
    "first_name": b'"Ada"',
    "last_name": b'"Lovelace"',
    "city": b'"Wien"',
    "plan": b'"family"',
}


@dataclass(frozen=True, slots=True)
class Person:
    """What a household's baskets leave behind: its state, and the sums that the check adds up."""

    state: State
    orders: int
    cents: int


def customer(number: int) -> str:
    """Name the n-th customer by its account."""
    return f"c-{number}"


def people(found: Sequence[Basket]) -> list[Person]:
    """Fold each household's baskets into the record that they make, with traits that somebody wrote."""
    states: dict[int, State] = {}
    sums: dict[int, tuple[int, int]] = {}
    for basket, message in zip(found, interactions(found, apart, lanes=1), strict=True):
        assert message.message.value is not None
        event = event_of(decode(Interaction, message.message.value))
        state = states.get(basket.household)
        if state is None:
            state = states[basket.household] = State(event.occurred_at, event.occurred_at, traits=_traits())
        fold.note(state, event)
        orders, cents = sums.get(basket.household, (0, 0))
        sums[basket.household] = orders + 1, cents + basket.cents
    return [Person(state, *sums[household]) for household, state in states.items()]


def _traits() -> dict[str, Register]:
    at = datetime(2017, 1, 1, tzinfo=UTC)
    return {name: Register(at, "form-1", "website", value) for name, value in _TRAITS.items()}


def fill(url: str, somebody: Sequence[Person], customers: int) -> None:
    """Write so many customers, each like one of these households, and let PostgreSQL settle."""
    with psycopg.connect(url) as connection:
        with connection.cursor().copy(_COPY) as copy:
            copy.write(_SIGNATURE)
            rows = _rows(somebody, customers)
            while some := list(islice(rows, _ROWS)):
                copy.write(b"".join(some))
            copy.write(_TRAILER)
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE profile.identities")
        connection.execute("CHECKPOINT")


def _rows(somebody: Sequence[Person], customers: int) -> Iterator[bytes]:
    kind = _KIND.encode()
    for number in range(customers):
        person, name = somebody[number % len(somebody)], customer(number)
        ref = IdentityRef(identity_id(SECRET, _KIND, name), _KIND, name)
        document = dump(msgspec.structs.replace(person.state, identities={ref.id: ref}))
        value = name.encode()
        yield b"".join(
            (
                _HEAD.pack(5, 16, bytes.fromhex(ref.id), len(kind), kind, len(value)),
                value,
                _TAIL.pack(8, person.orders, len(document)),
                document,
            )
        )


def sums(somebody: Sequence[Person], customers: int) -> tuple[int, int]:
    """Return the orders and cents of all of them."""
    return _sum(p.orders for p in _all(somebody, customers)), _sum(p.cents for p in _all(somebody, customers))


def _all(somebody: Sequence[Person], customers: int) -> Iterable[Person]:
    return (somebody[number % len(somebody)] for number in range(customers))


def _sum(numbers: Iterable[int]) -> int:
    return sum(numbers)
