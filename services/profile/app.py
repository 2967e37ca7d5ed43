"""The composition root of profile: interactions in, customers and activities out."""

from typing import NoReturn

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.postgres_outlet import PostgresOutlet
from services.profile.adapters.rule_files import identity_rules
from services.profile.adapters.sessions import SESSION
from services.profile.handlers import ProfileHandler
from services.profile.settings import ProfileSettings
from services.profile.state_cache import StateCache
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, INTERACTIONS
from shared.runtime.worker import Runtime, Service, run


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
