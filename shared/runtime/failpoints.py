"""Failpoints: named places in the runtime where a test may kill, stop or fail this very process."""

import builtins
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol, get_args

from shared.runtime import errors
from shared.runtime.errors import FatalError

Point = Literal[
    "after_poll",
    "before_claim",
    "after_fence",
    "in_transaction",
    "in_copy",
    "before_commit",
    "after_commit",
    "before_publish",
    "after_publish",
]
POINTS: tuple[Point, ...] = get_args(Point)

_RULE = re.compile(r"(?P<service>[a-z][a-z0-9_-]*)\.(?P<point>[a-z_]+)=(?P<action>[^@]+)@(?P<passage>[1-9][0-9]*)")
_STOP = re.compile(r"stop:(?P<seconds>[0-9]+(\.[0-9]+)?)s")


class FailpointError(FatalError):
    """CRM_FAILPOINTS says what we do not understand."""

    def __init__(self, rule: str, expected: str) -> None:
        super().__init__(f"CRM_FAILPOINTS: in {rule!r} expected {expected}")


class Failpoints(Protocol):
    """What the runtime calls at each of its points."""

    def hit(self, point: Point) -> None:
        """Pass a point: nothing happens unless a rule names this passage."""
        ...


class NullFailpoints:
    """No rule at all, as in production: passing a point costs one call."""

    def hit(self, point: Point) -> None:
        """Pass a point."""


@dataclass(frozen=True, slots=True)
class Kill:
    """End this process by SIGKILL, as the kernel would when memory is short."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Stand still by SIGSTOP for so many seconds, as a paused virtual machine does."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Raise:
    """Raise an error of this class."""

    error: type[Exception]


Action = Kill | Stop | Raise


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens at the n-th passage (from 1) of a point in a service."""

    service: str
    point: Point
    action: Action
    passage: int
    text: str


class ArmedFailpoints:
    """The rules of one service's process.

    A rule fires once, at its passage. Before it acts it appends one JSON line `{process, pid, point, action, at}` to
    the log file and syncs it, so that whoever reads the file later knows that it fired and not merely that it was set.
    """

    def __init__(self, rules: tuple[Rule, ...], log_path: str | None = None) -> None:
        self._rules = {(rule.point, rule.passage): rule for rule in rules}
        self._passages: dict[Point, int] = dict.fromkeys((rule.point for rule in rules), 0)
        self._log_path = log_path

    def hit(self, point: Point) -> None:
        """Pass a point: nothing happens unless a rule names this passage."""
        count = self._passages.get(point)
        if count is None:
            return
        self._passages[point] = count + 1
        rule = self._rules.get((point, count + 1))
        if rule is not None:
            self._fire(rule)

    def _fire(self, rule: Rule) -> None:
        if self._log_path:
            _append(self._log_path, rule)
        match rule.action:
            case Kill():
                os.kill(os.getpid(), signal.SIGKILL)
            case Stop(seconds):
                _stop_for(seconds)
            case Raise(error):
                raise error(f"failpoint {rule.text}")


def failpoints_for(service: str, environ: Mapping[str, str] = os.environ) -> Failpoints:
    """Read `CRM_FAILPOINTS` (rules joined by `;`) and `CRM_FAILPOINTS_LOG` for one service.

    `CRM_FAILPOINTS="profile.before_commit=kill@1;profile.in_copy=stop:4s@2;metrics.after_poll=raise:OSError@3"`

    Raises:
        FailpointError: a rule, a point or an action that does not exist, also in a rule for another service.
    """
    text = environ.get("CRM_FAILPOINTS", "")
    rules = [parse_rule(part.strip()) for part in text.split(";") if part.strip()]
    mine = tuple(rule for rule in rules if rule.service == service)
    if not mine:
        return NullFailpoints()
    return ArmedFailpoints(mine, environ.get("CRM_FAILPOINTS_LOG") or None)


def parse_rule(text: str) -> Rule:
    """Read one rule, `SERVICE.POINT=ACTION@N`.

    Raises:
        FailpointError: it is malformed, or names an unknown point or action.
    """
    matched = _RULE.fullmatch(text)
    if matched is None:
        raise FailpointError(text, "SERVICE.POINT=ACTION@N, N from 1")
    for point in POINTS:
        if point == matched["point"]:
            return Rule(
                matched["service"], point, _parse_action(text, matched["action"]), int(matched["passage"]), text
            )
    raise FailpointError(text, f"a point out of {', '.join(POINTS)}")


def _parse_action(rule: str, text: str) -> Action:
    if text == "kill":
        return Kill()
    stop = _STOP.fullmatch(text)
    if stop is not None:
        return Stop(float(stop["seconds"]))
    kind, _, name = text.partition(":")
    if kind != "raise":
        raise FailpointError(rule, "an action: kill, stop:SECONDSs or raise:ERROR")
    error = getattr(errors, name, None) or getattr(builtins, name, None)
    if not (isinstance(error, type) and issubclass(error, Exception)):
        raise FailpointError(rule, "a built-in error or one of shared.runtime.errors after raise:")
    return Raise(error)


def _append(path: str, rule: Rule) -> None:
    line = {
        "process": rule.service,
        "pid": os.getpid(),
        "point": rule.point,
        "action": rule.text.partition("=")[2],
        "at": datetime.now(UTC).isoformat(),
    }
    # One write with O_APPEND: several processes share the file and none may cut another's line.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, json.dumps(line).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stop_for(seconds: float) -> None:
    pid = os.getpid()
    # A stopped process can't wake itself: whoever will do it must run, in a session of its own, before we stop.
    waker = subprocess.Popen(  # noqa: S603 - fixed command, our own numbers
        ["/bin/sh", "-c", f"sleep {seconds}; kill -CONT {shlex.quote(str(pid))}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.kill(pid, signal.SIGSTOP)
    waker.wait()
