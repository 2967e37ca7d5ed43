"""Bounded stop: every step of stopping has a deadline, and a thread ends the process when all of them fail."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.runtime.logs import logger

log = logger(__name__)

STOP_SIGNALS = frozenset((signal.SIGTERM, signal.SIGINT))
OVERRUN_EXIT_CODE = 1


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step of stopping that came to its end."""


@dataclass(frozen=True, slots=True)
class StepOverran:
    """A step of stopping that was abandoned at its deadline."""


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step of stopping that raised."""

    error: BaseException


StepResult = StepFinished | StepOverran | StepFailed


async def within(seconds: float, step: str, awaitable: Awaitable[object]) -> StepResult:
    """Give a step of stopping so many seconds; log how it failed, never raise, never wait longer.

    A step that overruns is cancelled and not waited for: what ignores cancellation (a consumer that stops in the midst
    of a join) must not hold up the steps after it.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.add_done_callback(_look_away)
        task.cancel()
        log.warning("Stop step overran", action="stop.overrun", step=step, deadline_seconds=seconds)
        return StepOverran()
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is not None:
        log.warning("Stop step failed", action="stop.failed", step=step, exc_info=error)
        return StepFailed(error)
    return StepFinished()


def _look_away(task: asyncio.Future[object]) -> None:
    # An abandoned step's error was reported as an overrun; unread it would be reported again at interpreter exit.
    if not task.cancelled():
        task.exception()


def hold_stop_signals() -> None:
    """Keep SIGTERM and SIGINT pending for this thread and those it starts, until a `StopWatchdog` takes them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


class StopWatchdog:
    """Takes the stop signals in a thread of its own and ends the process when stopping takes longer than the grace.

    Signal handlers run in the main thread between two byte codes, and those of the event loop only when it turns: both
    fail exactly when something hangs. A thread in `sigwait` does not. `on_signal` is called in that thread, once.
    """

    def __init__(self, grace_seconds: float, on_signal: Callable[[], object]) -> None:
        self._grace = grace_seconds
        self._on_signal = on_signal
        self._stopped = threading.Event()
        self._armed = threading.Lock()

    def start(self) -> None:
        """Begin to take the signals; call it in the main thread, before other threads exist."""
        hold_stop_signals()
        threading.Thread(target=self._take_signals, name="stop-signals", daemon=True).start()

    def arm(self, reason: str) -> None:
        """Begin the grace; calls after the first change nothing."""
        if self._armed.acquire(blocking=False):
            log.info("Stopping", action="stop.begin", reason=reason, grace_seconds=self._grace)
            threading.Thread(target=self._end_after_grace, name="stop-watchdog", daemon=True).start()

    def disarm(self) -> None:
        """Say that stopping came to its end."""
        self._stopped.set()

    def _take_signals(self) -> None:
        taken = signal.sigwait(STOP_SIGNALS)
        self.arm(signal.Signals(taken).name)
        self._on_signal()

    def _end_after_grace(self) -> None:
        if not self._stopped.wait(self._grace):
            log.error("Stopping took too long, ending the process", action="stop.ended", grace_seconds=self._grace)
            os._exit(OVERRUN_EXIT_CODE)


def stop_signal(grace_seconds: float) -> tuple[asyncio.Event, StopWatchdog]:
    """Take the stop signals from now on; returns what they set in this event loop, and the watchdog that took them.

    The process ends when stopping takes longer than the grace. What stops for another reason arms the watchdog itself.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    watchdog = StopWatchdog(grace_seconds, lambda: loop.call_soon_threadsafe(stopping.set))
    watchdog.start()
    return stopping, watchdog
