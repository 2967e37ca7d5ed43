"""A customer is the join of its identities' states: commutative, associative, and blind to how events were grouped.

`join(fold of some events, fold of the others)` is the fold of all, so a customer's root may keep the join of all its
members beside its own state: an event moves the state of its identity and that join, however many members there are.
"""

from collections.abc import Iterable, Mapping
from functools import reduce

import msgspec

from services.profile.domain.registers import addresses, first, heard, last, summed, tallied, united, written
from services.profile.domain.state import State, TallyRegister
from shared.contracts.customers import MOST_CASES, MOST_CONSENTS, MOST_IDENTITIES, MOST_TRAITS
from shared.contracts.identities import IdentityRef


def join(one: State, other: State) -> State:
    """Return the state of the events of both, which have none in common; neither is changed."""
    return State(
        min(one.first_at, other.first_at),
        max(one.last_at, other.last_at),
        dict(united(one.identities, other.identities.values(), MOST_IDENTITIES)),
        one.order_count + other.order_count,
        first(one.first_order_at, other.first_order_at),
        last(one.last_order_at, other.last_order_at),
        summed(one.revenue, other.revenue),
        written(one.traits, other.traits.items(), MOST_TRAITS),
        dict(heard(one.consent, other.consent.items(), MOST_CONSENTS)),
        _tallies(one.tallies, other.tallies),
        {
            name: summed(one.sums.get(name, {}), other.sums.get(name, {}))
            for name in one.sums.keys() | other.sums.keys()
        },
        {
            book: written(one.registers.get(book, {}), other.registers.get(book, {}).items(), MOST_CASES)
            for book in one.registers.keys() | other.registers.keys()
        },
        addresses(one.mail, other.mail.items(), MOST_IDENTITIES),
    )


def customer_of(members: Mapping[str, State], who: Iterable[str]) -> State:
    """Return the state of the customer whose identities these are: each counts once, however often it is named.

    Raises:
        ValueError: none of them has a state.
    """
    states = [members[name] for name in sorted(set(who)) if name in members]
    if not states:
        raise ValueError("a customer has at least one identity with events")
    return reduce(join, states)


def known_as(state: State, identities: Iterable[IdentityRef]) -> State:
    """Return the state of somebody who has exactly these identities, of too many the strongest."""
    return msgspec.structs.replace(state, identities=dict(united({}, identities, MOST_IDENTITIES)))


def _tallies(one: Mapping[str, TallyRegister], other: Mapping[str, TallyRegister]) -> dict[str, TallyRegister]:
    joined = dict(one)
    for name, tally in other.items():
        joined[name] = tallied(joined.get(name), tally)
    return joined
