"""What the rows in memory should hold, counted anew from the timeline beside them."""

from services.profile.domain.comparing import Compared, compare
from services.profile.domain.holdings import Holdings
from services.profile.domain.identity_rules import IdentityRules
from services.profile.domain.recounting import Recount, Recounted
from tests.unit.services.profile.in_memory import InMemoryCustomers


def recounted(store: InMemoryCustomers, rules: IdentityRules) -> Recounted:
    """Count everything anew."""
    recount = Recount(rules)
    for entry in store.timeline.values():
        recount.take(entry.event)
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
    """Compare all rows with what events say."""
    return compare(holdings_of(store), recounted(store, rules), rules)
