"""Customers in memory as a store must keep them: a state by identity, and by component the join of its members'."""

from collections.abc import Iterable

from services.profile.domain.decisions import Ruling
from services.profile.domain.event import Event
from services.profile.domain.fold import begin, note
from services.profile.domain.graph import Component
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.join import customer_of, join, known_as
from services.profile.domain.links import Block, Mark, Node, Word, edge
from services.profile.domain.record import record_of
from services.profile.domain.sighting import Outcome, Untangle
from services.profile.domain.state import State, dump, load, own
from shared.contracts.codec import canonical
from shared.contracts.identities import IdentityRef
from tests.unit.services.profile.identity_book import IdentityBook, everything


class CustomerBook:
    """Folds events by their owner; an event touches the owner's state and its component's join, and no other's."""

    def __init__(self, rules: IdentityRules) -> None:
        self.graph = IdentityBook(rules)
        self.refs: dict[str, IdentityRef] = {}
        self.states: dict[str, bytes] = {}
        self.joins: dict[str, State] = {}
        self._known: set[bytes] = set()

    def take(self, batch: Iterable[Event]) -> None:
        """Apply events that were not applied before."""
        for event in batch:
            if event.key not in self._known:
                self._known.add(event.key)
                self._apply(event)

    def decide(self, one: str, other: str, word: Word) -> None:
        """Take a person's decision."""
        before = {name: self.graph.component_of[name] for name in (one, other)}
        self._after(self.graph.decide(one, other, word), before)

    def rule(self, mark: Mark, ruling: Ruling) -> None:
        """Take what a decision of people said to the graph."""
        for said in ruling.said:
            self.decide(said.one, said.other, Word(mark, said.verdict))
        for name, blocked in ruling.blocked:
            self.graph.block(name, Block(mark, blocked))
            self._after(Untangle(frozenset()), {})

    def records(self) -> dict[str, bytes]:
        """Render each customer who did anything, from the join that is kept."""
        return {
            found.members[0].id: self._render(found, self.joins[component])
            for found in self._customers()
            if (component := self.graph.component_of[found.members[0].id]) in self.joins
        }

    def joined_anew(self) -> dict[str, bytes]:
        """Render each customer from all its identities' states."""
        states = {name: load(document) for name, document in self.states.items()}
        return {
            found.members[0].id: self._render(found, customer_of(states, [node.id for node in found.members]))
            for found in self._customers()
            if any(node.id in states for node in found.members)
        }

    def _customers(self) -> tuple[Component, ...]:
        return everything(self.graph.nodes, self.graph.links, self.graph.rules).components

    def _render(self, customer: Component, state: State) -> bytes:
        named = known_as(state, [self.refs[node.id] for node in customer.members])
        return canonical(record_of(customer.members[0].id, named))

    def _apply(self, event: Event) -> None:
        said, owner = event.interaction, event.owner
        mark = Mark(event.occurred_at, said.message_id, said.source)
        for one in said.identities:
            self.refs[one.id] = one
            self.graph.meet(Node(one.id, one.kind, event.occurred_at))
        for other in said.identities:
            if other.id != owner.id:
                before = {name: self.graph.component_of[name] for name in (owner.id, other.id)}
                self._after(self.graph.take(edge(owner.id, other.id, mark)), before)
        document = self.states.get(owner.id)
        mine = begin(event.occurred_at) if document is None else load(document)
        note(mine, event)
        self.states[owner.id] = dump(mine)
        component = self.graph.component_of[owner.id]
        known = self.joins.get(component)
        ours = begin(event.occurred_at) if known is None else own(known)
        note(ours, event)
        self.joins[component] = ours

    def _after(self, outcome: Outcome, before: dict[str, str]) -> None:
        graph = self.graph
        if isinstance(outcome, Untangle):
            self.joins = {name: state for name, state in self.joins.items() if name in graph.components}
            states = {name: load(document) for name, document in self.states.items()}
            for component in graph.components.keys() - self.joins.keys():
                members = graph.components[component]
                if members & states.keys():
                    self.joins[component] = customer_of(states, members)
            return
        merged = [
            self.joins.pop(name) for name in set(before.values()) if name not in graph.components and name in self.joins
        ]
        for state in merged:
            component = graph.component_of[next(iter(before))]
            known = self.joins.get(component)
            self.joins[component] = state if known is None else join(known, state)
