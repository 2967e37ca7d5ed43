"""What the rows in memory should hold, counted anew from the timeline and the decisions beside them."""

from datetime import UTC, datetime

from services.profile.domain.comparing import Compared, compare
from services.profile.domain.holdings import Holdings
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.links import Block, Word
from services.profile.domain.mending import mend
from services.profile.domain.recounting import Recount, Recounted
from services.profile.folding import Folded, Folding
from tests.unit.services.profile.in_memory import InMemoryCustomers

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def recounted(store: InMemoryCustomers, rules: IdentityRules) -> Recounted:
    """Count everything anew."""
    recount = Recount(rules)
    for entry in store.timeline.values():
        recount.take(entry.event)
    for applied in store.applied.values():
        mark = applied.decision.mark
        for said in applied.ruling.said:
            recount.say((min(said.one, said.other), max(said.one, said.other)), Word(mark, said.verdict))
        for name, blocked in applied.ruling.blocked:
            recount.block(name, Block(mark, blocked))
    return recount.result(recount.names())


def holdings_of(store: InMemoryCustomers) -> Holdings:
    """Return all rows."""
    return Holdings(
        {key.hex(): row.stored() for key, row in store.rows.items()},
        {key.hex(): row.ref for key, row in store.rows.items()},
        dict(store.customers),
        dict(store.regions),
        dict(store.edges),
        frozenset(store.customers),
        frozenset(store.regions),
        all_links=True,
    )


def compared(store: InMemoryCustomers, rules: IdentityRules) -> Compared:
    """Compare all rows with what events and decisions say."""
    return compare(holdings_of(store), recounted(store, rules), rules)


def mended(store: InMemoryCustomers, rules: IdentityRules) -> Folded:
    """Return how all rows are to be."""
    held, told = holdings_of(store), recounted(store, rules)
    right = mend(held, told, compare(held, told, rules).unlike, rules)
    folding = Folding(right.settlement, 4, NOW)
    folding.restate(right.states)
    return folding.done()
