"""How many changes wait for search, as a gauge of the workers: whoever draws them may not run at all."""

from services.profile.adapters import search_terms
from shared.runtime.worker import Runtime

WAITING = "crm_profile_search_waiting"
LOOK_SECONDS = 10.0
REST = 19.0
"""At least so many times as long as counting took: never more than a twentieth of the time."""
MOST_COUNTED = 100_000


class SearchCounted:
    """Counts the changes that nobody can be found by yet, up to a bound, so that a long queue costs little more."""

    def __init__(self, runtime: Runtime) -> None:
        self._pool = runtime.pool
        self._gauge = runtime.metrics.gauge(WAITING)

    async def look(self) -> None:
        """Set the gauge."""
        async with self._pool.connection() as connection:
            self._gauge.set(await search_terms.waiting(connection, MOST_COUNTED))
