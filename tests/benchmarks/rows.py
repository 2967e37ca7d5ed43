"""What a row of `make bench` beside the throughput table is: a module's `measure` of a bench gives one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.local.stack import Stack, StackAddresses
from shared.runtime.handler import DirectMessage


@dataclass(frozen=True, slots=True)
class Bench:
    """What a row is measured on: fresh servers of this run with all topics, a folder for logs, and the raw baskets."""

    servers: Stack
    addresses: StackAddresses
    folder: Path
    lanes: int
    rounds: int
    events: Sequence[DirectMessage]
    customers: Sequence[int]
    """How many customers the tables hold where that matters, fewest first."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its figures for `--json`, and lines for people, the last of which names the goal and what was found."""

    name: str
    figures: dict[str, Any]
    lines: Sequence[str]


Measure = Callable[[Bench], Row]
