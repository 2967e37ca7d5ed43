"""What a service does again and again beside its batches, at a bounded share of the time."""

import time
from collections.abc import Awaitable, Callable

import mode
from psycopg_pool import PoolTimeout

from shared.runtime.logs import logger
from shared.runtime.retry import Verdict, verdict

log = logger(__name__)


class Repeated(mode.Service):
    """Does something every so many seconds; an error that may pass is said in `words`, any other ends the process.

    Between two times it rests at least `rest` times as long as the first of them took.
    """

    def __init__(
        self, act: Callable[[], Awaitable[object]], seconds: float, words: str, action: str, *, rest: float = 0.0
    ) -> None:
        super().__init__()
        self._act = act
        self._seconds = seconds
        self._words = words
        self._action = action
        self._rest = rest

    @mode.Service.task
    async def _repeat_until_stopped(self) -> None:
        while not self.should_stop:
            took = await self._once()
            await self.sleep(max(self._seconds, self._rest * took))

    async def _once(self) -> float:
        started = time.monotonic()
        try:
            await self._act()
        except Exception as error:
            if verdict(error) is not Verdict.RETRY:
                raise
            log.warning(self._words, action=self._action, exc_info=error)
            if isinstance(error, PoolTimeout):
                return 0.0  # Nobody was kept busy: it only waited for a database that is away.
        return time.monotonic() - started
