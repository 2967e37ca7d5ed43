"""Explaining why identities are one customer: which events and decisions link them, and what was left out, and why."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from psycopg import AsyncConnection

from services.profile.adapters import postgres_decisions, postgres_graph
from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.deciding import looking
from services.profile.domain import extent
from services.profile.domain.explaining import Reason, grounds, in_words, outside, reason_of, surround
from services.profile.domain.graph import Why
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Link, Mark, Node
from services.profile.state_cache import StateCache
from services.profile.surveying import Surveyor
from shared.contracts.identities import IdentityRef
from shared.runtime.failpoints import NullFailpoints

MOST_LINKS = 5000
"""Links of a customer that are looked at; an identity that stands for nobody may have any number of them."""
MOST_LEFT_OUT = 200


class Event(msgspec.Struct, frozen=True):
    """The first event that named both ends of a link; its name is nothing if the timeline has it no more."""

    at: datetime
    source: str
    message_id: str
    name: str | None


class Decided(msgspec.Struct, frozen=True):
    """The decision that counts for a pair or an identity."""

    id: str
    at: datetime
    kind: str
    who: str
    why: str


class Held(msgspec.Struct, frozen=True):
    """A link that holds two identities together, and what it rests on."""

    one: IdentityRef
    other: IdentityRef
    reason: Reason
    event: Event | None
    decision: Decided | None


class LeftOut(msgspec.Struct, frozen=True):
    """A link that does not hold, and why; `limit` is the kind of which there would be too many."""

    one: IdentityRef
    other: IdentityRef
    why: Why
    limit: str | None
    words: str
    event: Event | None
    decision: Decided | None


class Explanation(msgspec.Struct, frozen=True):
    """Why these identities are one customer, strongest first; `waiting` says that the clock has yet to resolve them.

    `left_out` has 200 links at most, `more_left_out` counts the rest of those that were looked at.
    """

    customer_id: str
    identities: tuple[IdentityRef, ...]
    held: tuple[Held, ...]
    left_out: tuple[LeftOut, ...]
    more_left_out: int
    waiting: bool


def explain(database_url: str, rules: IdentityRules, identity: str) -> Explanation:
    """Explain the customer of an identity; call it where no event loop runs.

    Raises:
        RefusedError: there is too much to be looked at.
        psycopg.Error: the database cannot be used.
        StaleStateError: somebody else wrote meanwhile, again and again.
    """
    return asyncio.run(_explain(database_url, rules, identity))


async def _explain(database_url: str, rules: IdentityRules, identity: str) -> Explanation:
    async with looking(database_url) as connection:
        return await explained(connection, rules, identity)


async def explained(connection: AsyncConnection, rules: IdentityRules, identity: str) -> Explanation:
    """Explain, within a transaction that sees one state of the tables."""
    store = PostgresCustomers(NullFailpoints())
    surveyor = Surveyor(store, StateCache(0), rules, most=extent.MOST_RESOLVED)
    _, members = await surveyor.attend(connection, {identity}, lambda census: surround(census, identity))
    links = await postgres_graph.read_links_of(connection, members, MOST_LINKS)
    around = outside(links, members)
    settlement, found = await surveyor.attend(connection, {identity, *around}, lambda census: grounds(census, identity))
    refs = {name: person.ref for name, person in settlement.people.items()}
    nodes = {node.id: node for node in found.everybody}
    shown = found.dropped[:MOST_LEFT_OUT]
    told = await _told(connection, (*found.holding, *(link for _, link in shown)), nodes)
    return Explanation(
        settlement.people[identity].customer,
        tuple(refs[node.id] for node in found.members),
        tuple(
            Held(refs[link.a], refs[link.b], reason_of(link), told.event(link), told.decision(link))
            for link in found.holding
        ),
        tuple(
            LeftOut(
                refs[link.a], refs[link.b], one.why, one.kind or None, in_words(one, rules), told.event(link),
                told.decision(link) or (told.block(link) if one.why is Why.BLOCKED else None),
            )
            for one, link in shown
        ),
        len(found.dropped) - len(shown),
        found.upset,
    )  # fmt: skip


class _Told(msgspec.Struct, frozen=True):
    names: Mapping[Mark, str]
    decisions: Mapping[str, Decided]
    nodes: Mapping[str, Node]

    def event(self, link: Link) -> Event | None:
        if link.first is None:
            return None
        at, message_id, source = link.first
        return Event(at, source, message_id, self.names.get(link.first))

    def decision(self, link: Link) -> Decided | None:
        return None if link.word is None else self.decisions.get(link.word.mark.message_id)

    def block(self, link: Link) -> Decided | None:
        blocks = [node.block for end in link.pair if (node := self.nodes.get(end)) is not None and node.block]
        return self.decisions.get(blocks[0].mark.message_id) if blocks else None


async def _told(connection: AsyncConnection, links: Iterable[Link], nodes: Mapping[str, Node]) -> _Told:
    links = list(links)
    names = await postgres_graph.read_event_names(connection, [link for link in links if link.first is not None])
    ids = {link.word.mark.message_id for link in links if link.word is not None}
    ids |= {node.block.mark.message_id for node in nodes.values() if node.block is not None}
    made = await postgres_decisions.read_made(connection, ids)
    return _Told(names, {one.id: one for one in (Decided(*row) for row in made)}, nodes)
