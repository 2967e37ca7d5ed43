"""One customer beside the orders, and two customers made one by hand and parted again, by the product's commands.

What that merge and its undoing must leave as it was: both customers' records, and every total of the demo, which is
counted afterwards.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.local.platform import Platform

CUSTOMER, OTHER = "user_id:cdnow-00004", "user_id:cdnow-00021"
MOVES = frozenset({"version", "audit"})
"""What a merge and its undoing may leave a trace in."""


class CommandFailedError(Exception):
    """A command of the product's own did not do what it was asked to."""

    def __init__(self, command: Sequence[str], why: str) -> None:
        super().__init__(f"rapport {' '.join(command)}: {why.strip()}")


@dataclass(frozen=True, slots=True)
class Undone:
    """A merge and its undoing as the commands told them, and how many orders each of the two had, apart and as one."""

    said: Sequence[tuple[Sequence[str], str]]
    orders: tuple[int, int]
    orders_as_one: int
    as_before: bool

    @property
    def holds(self) -> bool:
        """Tell whether the two were one, and are as they were."""
        return self.as_before and self.orders_as_one == sum(self.orders)


async def merge_and_undo(platform: Platform, quiet: Callable[[], Awaitable[None]]) -> Undone:
    """Merge two customers and take it back; `quiet` returns when everybody downstream has followed.

    Raises:
        CommandFailedError: a command did not go through.
    """
    before = await _both(platform)
    merge = ("customers", "merge", CUSTOMER, OTHER, "--why", "seen at the till together", "--yes")
    unmerge = ("customers", "unmerge", CUSTOMER, OTHER, "--why", "they are twins", "--yes")
    said = [(merge, await _run(platform, merge))]
    await quiet()
    as_one = await _record(platform, OTHER)
    said.append((unmerge, await _run(platform, unmerge)))
    await quiet()
    after = await _both(platform)
    return Undone(said, (_orders(before[0]), _orders(before[1])), _orders(as_one), before == after)


async def _both(platform: Platform) -> Sequence[dict[str, Any]]:
    return await asyncio.gather(_record(platform, CUSTOMER), _record(platform, OTHER))


async def _record(platform: Platform, who: str) -> dict[str, Any]:
    document = json.loads(await _run(platform, ("customers", "show", who, "--json")))
    return {name: value for name, value in document.items() if name not in MOVES}


async def _run(platform: Platform, command: Sequence[str]) -> str:
    return await asyncio.to_thread(_ended, platform, command)


def _ended(platform: Platform, command: Sequence[str]) -> str:
    environment = {**os.environ, **platform.variables()}
    ended = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "shared.cli", *command], env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise CommandFailedError(command, ended.stderr)
    return ended.stdout


def _orders(record: dict[str, Any]) -> int:
    return int(record["customer"]["orders"]["count"])
