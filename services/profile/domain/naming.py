"""What a customer is called: after the strongest of its identities; every other name it had leads there."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from services.profile.domain.graph import Component, seniority
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Node


class Membership(msgspec.Struct, frozen=True, array_like=True):
    """Whose an identity is; `version` counts the customers it had, and who reads two of them believes the greater."""

    customer_id: str
    version: int


class Move(msgspec.Struct, frozen=True):
    """An identity goes from one customer to another."""

    identity_id: str
    source: str
    target: Membership


class Renamed(msgspec.Struct, frozen=True):
    """What a new partition of identities means: who moves, and which customer ids appear, redirect, or lead elsewhere.

    `redirects` are ids that are no customer's own any more, with the customer that they lead to; `revived` are ids that
    were such and are a customer's own again. Customers whose members changed are `touched`, old and new.
    """

    moves: tuple[Move, ...]
    redirects: Mapping[str, Membership]
    revived: tuple[str, ...]
    touched: frozenset[str]


def customer_id(component: Component) -> str:
    """Name a customer: the identity_id of its strongest identity, by kind, then first seen, then by id."""
    return component.members[0].id


def elder(one: Node, other: Node, rules: IdentityRules) -> Node:
    """Return the one after which their customer is named: of two components, of their elders."""
    return min(one, other, key=lambda node: seniority(node, rules))


def met_at(node: Node, at: datetime) -> Node:
    """Return the identity as seen in one event more."""
    return node if node.first_at <= at else msgspec.structs.replace(node, first_at=at)


def begin(identity_id: str) -> Membership:
    """Return an identity's first membership: it is its own customer."""
    return Membership(identity_id, 1)


def rename(before: Mapping[str, Membership], components: Iterable[Component]) -> Renamed:
    """Tell who moves when the identities of `before` are these components now."""
    moves: list[Move] = []
    redirects: dict[str, Membership] = {}
    revived: list[str] = []
    for component in components:
        name = customer_id(component)
        for node in component.members:
            known = before[node.id]
            if known.customer_id == name:
                continue
            now = Membership(name, known.version + 1)
            moves.append(Move(node.id, known.customer_id, now))
            if node.id == name:
                revived.append(name)
            else:
                redirects[node.id] = now
    touched = frozenset(name for move in moves for name in (move.source, move.target.customer_id))
    return Renamed(tuple(moves), redirects, tuple(revived), touched)
