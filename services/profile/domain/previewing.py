"""What a decision would make of customers: who becomes whose, and which limits that exceeds."""

from collections.abc import Mapping

import msgspec

from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.settling import Household, Settlement
from services.profile.domain.state import State


class Exceeded(msgspec.Struct, frozen=True):
    """A customer would have more identities of a kind than the rules allow."""

    customer_id: str
    kind: str
    count: int
    limit: int


class Becoming(msgspec.Struct, frozen=True):
    """A customer as it would be; `state` is nothing if nobody did anything by it."""

    customer_id: str
    identities: tuple[str, ...]
    state: State | None


class Prospect(msgspec.Struct, frozen=True):
    """Who would be which customer, of all customers that anybody comes to or leaves; `moved` are those who do."""

    customers: tuple[Becoming, ...]
    exceeded: tuple[Exceeded, ...]
    moved: tuple[str, ...]


def prospect(settlement: Settlement, rules: IdentityRules) -> Prospect:
    """Tell what a settlement that is not written would mean."""
    whose = {name: person.customer for name, person in settlement.people.items()}
    was = {name: _was(settlement, name) for name in settlement.people}
    moved = sorted(name for name, customer in whose.items() if was[name] != customer)
    touched = {was[name] for name in moved} | {whose[name] for name in moved}
    customers = [settlement.households[name] for name in sorted(touched & settlement.households.keys())]
    return Prospect(
        tuple(map(_becoming, customers)),
        tuple(over for household in customers for over in _exceeded(household, rules)),
        tuple(moved),
    )


def _was(settlement: Settlement, name: str) -> str:
    before = settlement.people[name].before
    return name if before is None or before.root is None else before.root


def _becoming(household: Household) -> Becoming:
    state = household.state if household.summary.active else None
    return Becoming(household.name, household.people, state)


def _exceeded(household: Household, rules: IdentityRules) -> list[Exceeded]:
    counts: Mapping[str, int] = household.summary.counts
    return [
        Exceeded(household.name, kind, count, rules.limit(kind))
        for kind, count in sorted(counts.items())
        if count > rules.limit(kind)
    ]
