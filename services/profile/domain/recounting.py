"""What events and decisions say of some identities, counted anew: the same fold and the same links, and no row read.

An identity and a pair are each told by values that join, so events are taken in any order, and one that only somebody
outside did counts by what is known of the pair.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from services.profile.domain import fold
from services.profile.domain.edges import edges_of
from services.profile.domain.event import Event
from services.profile.domain.graph import Resolution, resolve
from services.profile.domain.holdings import Pair
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Block, Link, Node, SignIn, Word, decided, seen, signing_in
from services.profile.domain.registers import united
from services.profile.domain.state import State
from shared.contracts.customers import MOST_IDENTITIES
from shared.contracts.identities import IdentityRef


class Recounted(msgspec.Struct, frozen=True):
    """Identities as their events make them: states of those that did anything, places and links of all."""

    refs: Mapping[str, IdentityRef]
    states: Mapping[str, State]
    nodes: Mapping[str, Node]
    links: Mapping[Pair, Link]
    resolution: Resolution


class Recount:
    """Takes every event of some identities, and what people decided about them; then `result` says who they are."""

    def __init__(self, rules: IdentityRules) -> None:
        self._rules = rules
        self._states: dict[str, State] = {}
        self._first: dict[str, datetime] = {}
        self._signed_in: dict[str, SignIn] = {}
        self._blocks: dict[str, Block] = {}
        self.refs: dict[str, IdentityRef] = {}
        self.links: dict[Pair, Link] = {}

    def take(self, event: Event) -> None:
        """Take an event that was not taken before."""
        owner = event.owner
        state = self._states.get(owner.id)
        if state is None:
            state = self._states[owner.id] = State(event.occurred_at, event.occurred_at, {owner.id: owner})
        fold.note(state, event)
        self._meet(owner, event.occurred_at)
        for other in event.others:
            self._meet(other, event.occurred_at)
        for one in edges_of(event):
            self.links[one.a, one.b] = seen(self.links.get((one.a, one.b)), one)
        for other in event.others:
            self._sign_in(owner, other, event)
            self._sign_in(other, owner, event)

    def _meet(self, ref: IdentityRef, at: datetime) -> None:
        first = self._first.get(ref.id)
        if first is None or at < first:
            self._first[ref.id] = at
        self.refs.setdefault(ref.id, ref)

    def _sign_in(self, device: IdentityRef, person: IdentityRef, event: Event) -> None:
        if device.kind in self._rules.devices and self._rules.signs_in(person.kind):
            mark = edges_of(event)[0].mark
            self._signed_in[device.id] = signing_in(self._signed_in.get(device.id), person.id, mark)

    def say(self, pair: Pair, word: Word) -> None:
        """Take a decision about two identities."""
        self.links[pair] = decided(self.links.get(pair), pair, word)

    def block(self, name: str, block: Block) -> None:
        """Take a decision about one."""
        known = self._blocks.get(name)
        if known is None or (known.mark, known.blocked) < (block.mark, block.blocked):
            self._blocks[name] = block

    def trust(self, node: Node, links: Iterable[Link], members: Iterable[str]) -> None:
        """Believe what is known of an identity from events of others than `members`, which are not taken here."""
        among = set(members)
        firsts = [self._first[node.id]] if node.id in self._first else []
        for link in links:
            known = self.links.get(link.pair)
            if link.first is not None:
                firsts.append(link.first.at)
                if known is None or known.first is None or link.first < known.first:
                    word = None if known is None else known.word
                    self.links[link.pair] = Link(link.a, link.b, link.first, link.first, link.cause, word)
        self._first[node.id] = min(firsts, default=node.first_at)
        told, mine = node.signed_in, self._signed_in.get(node.id)
        if told is not None and told.last not in among:
            mine = signing_in(mine, told.last, told.mark)
        strangers = set() if told is None else {told.least, told.greatest} - among
        if mine is not None:
            least, greatest = min({mine.least} | strangers), max({mine.greatest} | strangers)
            self._signed_in[node.id] = SignIn(mine.mark, mine.last, least, greatest)

    def remember(self, name: str, refs: Iterable[IdentityRef]) -> None:
        """Believe what else an identity was known as, from events that were kept without whom else they named."""
        state = self._states.get(name)
        if state is not None:
            state.identities = dict(united(state.identities, refs, MOST_IDENTITIES))

    def names(self) -> list[str]:
        """Return everybody of whom an event told."""
        return list(self._first)

    def node(self, name: str) -> Node:
        """Return an identity's place, as far as events were taken; its partners are not counted."""
        ref = self.refs[name]
        nobody = self._rules.blocks(ref.kind, ref.value)
        return Node(name, ref.kind, self._first[name], 0, nobody, self._blocks.get(name), self._signed_in.get(name))

    def result(self, members: Iterable[str]) -> Recounted:
        """Tell who is who of these, which must be whole regions: nobody outside is linked to one of them."""
        partners: dict[str, int] = {}
        for link in self.links.values():
            if link.first is not None:
                for end in link.pair:
                    partners[end] = partners.get(end, 0) + 1
        nodes = {name: msgspec.structs.replace(self.node(name), partners=partners.get(name, 0)) for name in members}
        return Recounted(
            self.refs,
            {name: state for name, state in self._states.items() if name in nodes},
            nodes,
            self.links,
            resolve(nodes.values(), self.links.values(), self._rules),
        )
