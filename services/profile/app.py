"""The composition root of profile: interactions in, customers and activities out."""

from typing import NoReturn

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.postgres_outlet import PostgresOutlet
from services.profile.adapters.rule_files import identity_rules
from services.profile.handlers import ProfileHandler
from services.profile.settings import ProfileSettings
from services.profile.state_cache import StateCache
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, INTERACTIONS
from shared.runtime.worker import Runtime, Service, run

# Each statement names its rows by key. On stale statistics the planner would rather read a whole table, and was seen
# to take ten times as long. Before PostgreSQL 18 what is off counts as very dear, and dear plans are compiled: jit too.
SESSION = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}


def service(settings: ProfileSettings) -> Service:
    """Wire profile."""
    rules = identity_rules(settings.identity_rules)

    def handler(runtime: Runtime) -> ProfileHandler:
        store = PostgresCustomers(runtime.failpoints)
        return ProfileHandler(store, StateCache(settings.cached_customers), settings.lanes, rules)

    return Service(
        name="profile",
        inputs=(INTERACTIONS,),
        outputs=(CUSTOMERS, ACTIVITIES),
        handler=handler,
        outlet=lambda _runtime: PostgresOutlet(),
        stage="profile",
        session=SESSION,
    )


def main() -> NoReturn:
    """Run profile until a signal or an error."""
    run("profile", ProfileSettings, service)
