"""The composition root of profile: interactions in, customers and activities out."""

from typing import NoReturn

import mode

from services.profile.adapters.postgres_customers import PostgresCustomers
from services.profile.adapters.postgres_outlet import PostgresOutlet
from services.profile.adapters.rule_files import identity_rules, lifecycle_stages
from services.profile.adapters.sessions import SESSION
from services.profile.handlers import ProfileHandler
from services.profile.rebuilding.site import Rules
from services.profile.rebuilding.watching import EqualityCheck
from services.profile.refusals_counted import GIVEN_UP, METRIC
from services.profile.search_counted import LOOK_SECONDS, REST, SearchCounted
from services.profile.settings import ProfileSettings
from services.profile.state_cache import StateCache
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, INTERACTIONS
from shared.runtime.repeated import Repeated
from shared.runtime.worker import Runtime, Service, run


class Checker(mode.Service):
    """Compares customers with their timeline as long as the worker runs."""

    def __init__(self, check: EqualityCheck) -> None:
        super().__init__()
        self._check = check

    @mode.Service.task
    async def _check_until_stopped(self) -> None:
        await self._check.run(lambda: self.should_stop)


def service(settings: ProfileSettings) -> Service:
    """Wire profile."""
    rules, stages = identity_rules(settings.identity_rules), lifecycle_stages(settings.lifecycle_stages)

    def handler(runtime: Runtime) -> ProfileHandler:
        store = PostgresCustomers(runtime.failpoints)
        cache = StateCache(settings.cached_customers)

        def count(reason: str, kind: str, refused: int) -> None:
            runtime.metrics.counter(METRIC, reason=reason, kind=kind).inc(refused)

        given_up = runtime.metrics.counter(GIVEN_UP)
        given_up.inc(0)
        return ProfileHandler(
            store,
            cache,
            settings.lanes,
            rules,
            count_refused=count,
            stages=stages,
            count_given_up=given_up.inc,
        )

    return Service(
        name="profile",
        inputs=(INTERACTIONS,),
        outputs=(CUSTOMERS, ACTIVITIES),
        handler=handler,
        outlet=lambda _runtime: PostgresOutlet(stages),
        background=lambda runtime: [
            Checker(EqualityCheck(runtime, settings, Rules(rules, stages))),
            Repeated(
                SearchCounted(runtime).look,
                LOOK_SECONDS,
                "Changes that wait can't be counted",
                "search.retry",
                rest=REST,
            ),
        ],
        stage="profile",
        session=SESSION,
    )


def main() -> NoReturn:
    """Run profile until a signal or an error."""
    run("profile", ProfileSettings, service)
