"""The SDKs, each unmodified and in a process of its own, and the story that each of them tells."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SENDERS = Path(__file__).parent / "senders"
HOME = Path(sys.prefix) / "sdks"
NODE = HOME / "bin" / "node"
MISSING = "The SDKs are not installed: `make .venv/.sdks` does it, and `make test` too."
SECONDS = 120

HISTORY = "2026-03-01T08:00:00+00:00"
HISTORY_MS = 1_772_352_000_000
ORDER = {"order_id": "o-1", "total": 61.5, "currency": "EUR"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a sender's process said at its end: the ids of its events in order, and what its SDK gave up."""

    ids: Sequence[str]
    lost: Sequence[str]


@dataclass(frozen=True, slots=True)
class Expected:
    """One event as it must be read; `problem` is the path of what is wrong with it."""

    name: str = ""
    family: str = ""
    payload: Any = None
    identities: frozenset[tuple[str, str]] = frozenset()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Sdk:
    """One SDK: the program that sends with it."""

    name: str
    sender: str
    arguments: tuple[str, ...] = ()
    sends_again: bool = True

    @property
    def is_snowplow(self) -> bool:
        """Tell whether it speaks Snowplow's shape."""
        return self.name.startswith("snowplow")

    def command(self, host: str, key: str) -> list[str]:
        """Return what starts a customer's program."""
        runtime = NODE if self.sender.endswith(".js") else HOME / "bin" / "python"
        assert runtime.exists(), MISSING
        return [str(runtime), str(SENDERS / self.sender), host, key, *self.arguments]

    def begin(self, host: str, key: str, calls: Sequence[Mapping[str, Any]]) -> "subprocess.Popen[str]":
        """Start a program that makes these calls; nothing of our own environment is in it."""
        process = subprocess.Popen(
            self.command(host, key),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={"PATH": os.environ["PATH"], "NODE_PATH": str(HOME / "node_modules")},
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(calls))
        process.stdin.close()
        process.stdin = None
        return process

    def send(self, host: str, key: str, calls: Sequence[Mapping[str, Any]]) -> Said:
        """Make these calls and wait until the program has ended well."""
        return ended(self.begin(host, key, calls))


def ended(process: "subprocess.Popen[str]") -> Said:
    """Wait until a program has ended well, and return what it said."""
    try:
        said, complaints = process.communicate(timeout=SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0, f"{process.args!r}: ended with {process.returncode}: {complaints[-3000:]}"
    found = json.loads(said)
    return Said(found["ids"], found["lost"])


PYTHON = (
    Sdk("segment-python", "calls_python.py", ("segment.analytics",)),
    Sdk("rudder-python", "calls_python.py", ("rudderstack.analytics.client",)),
    Sdk("snowplow-post", "snowplow_python.py"),
    # By GET it forgets an event that failed if a later one of the same flush did not: nobody can mend that for it.
    Sdk("snowplow-get", "snowplow_python.py", ("get",), sends_again=False),
)
NODES = (Sdk("segment-node", "segment_node.js"), Sdk("rudder-node", "rudder_node.js", ("8",)))


def all_sdks() -> tuple[Sdk, ...]:
    """Return the SDKs that this machine can run; in CI that is each of them, or the tests fail."""
    return PYTHON + (NODES if NODE.exists() or "CI" in os.environ else ())


@dataclass(frozen=True, slots=True)
class Story:
    """Calls of each type that an SDK has, and how each is to be read; one of them is wrong."""

    calls: Sequence[Mapping[str, Any]]
    expected: Sequence[Expected]


def story_for(sdk: Sdk) -> Story:
    """Tell the story of a person that nobody else has, in the words of the SDK."""
    user, anonymous = f"u-{secrets.token_hex(6)}", f"a-{secrets.token_hex(6)}"
    return _snowplow(sdk, user, anonymous) if sdk.is_snowplow else _segment(sdk, user, anonymous)


def _segment(sdk: Sdk, user: str, anonymous: str) -> Story:
    user_only = frozenset({("user_id", user)})
    both = user_only | {("anonymous_id", anonymous)}
    traits = {"plan": "pro", "logins": 3, "city": "Köln"}
    order = {"order_id": "o-1", "total": {"amount": "61.5", "currency": "EUR"}}
    page = {"name": "Home", "category": "Shop"}
    told: list[tuple[dict[str, Any], Expected]] = [
        (
            {"type": "identify", "traits": traits, "anonymousId": anonymous},
            Expected("Identify", "identify", {"traits": traits}, both),
        ),
        (
            {"type": "track", "event": "Order Completed", "properties": ORDER, "timestamp": HISTORY},
            Expected("Order Completed", "order", order, user_only),
        ),
        ({"type": "track", "event": "Mug Broken"}, Expected("Mug Broken", "generic", {}, user_only)),
        (
            {"type": "track", "event": "Order Completed", "properties": {"total": "a lot"}},
            Expected(problem="/properties/total"),
        ),
        (
            {"type": "page", **page, "properties": {"url": "/"}, "anonymousId": anonymous},
            Expected("Page Viewed", "view", {**page, "url": "/"}, both),
        ),
        ({"type": "screen", "name": "Cart"}, Expected("Screen Viewed", "view", {"name": "Cart"}, user_only)),
        (
            {"type": "group", "groupId": "g-1", "traits": {"plan": "pro"}},
            Expected("Group Joined", "group", {"group_id": "g-1", "plan": "pro"}, user_only),
        ),
        (
            {"type": "alias", "previousId": anonymous},
            Expected("Alias Requested", "alias", {"previous_id": anonymous}, both),
        ),
    ]
    calls = [{**call, "userId": user} for call, _ in told]
    return Story([_in_python(call) if sdk in PYTHON else call for call in calls], [expected for _, expected in told])


def _in_python(call: Mapping[str, Any]) -> dict[str, Any]:
    names = {"userId": "user_id", "anonymousId": "anonymous_id", "groupId": "group_id", "previousId": "previous_id"}
    return {names.get(name, name): value for name, value in call.items()}


def _snowplow(sdk: Sdk, user: str, anonymous: str) -> Story:
    people = frozenset({("user_id", user), ("anonymous_id", anonymous)})
    encoded = not sdk.arguments  # Base64 or plain is a setting of a tracker: each way of sending has one of them here.
    own = "iglu:com.acme/order_completed/jsonschema/1-0-0"
    page = {"page_url": "https://shop.example/", "page_title": "Home"}
    view = {"url": "https://shop.example/", "title": "Home"}
    screen = {"name": "Cart", "id_": "0d6a2c9e-8d33-4b60-8f43-9f4f0ae3f0a6"}
    struct = {"category": "mugs", "label": "blue"}
    order = {"order_id": "o-1", "total": {"amount": "61.5", "currency": "EUR"}}
    told: list[tuple[dict[str, Any], Expected]] = [
        ({"type": "page", **page}, Expected("Page Viewed", "view", view, people)),
        (
            {"type": "ping", **page, "min_x": 0, "max_y": 250},
            Expected("Page Pinged", "generic", {**view, "min_x": 0, "max_y": 250}, people),
        ),
        (
            {"type": "struct", **struct, "action": "Mug Broken", "value": 9.5},
            Expected("Mug Broken", "generic", {**struct, "value": 9.5}, people),
        ),
        (
            {"type": "described", "schema": own, "data": ORDER, "true_timestamp": HISTORY_MS},
            Expected("Order Completed", "order", order, people),
        ),
        (
            {"type": "described", "schema": own, "data": {"total": "a lot"}},
            Expected(problem=f"/{'ue_px' if encoded else 'ue_pr'}/data/data/total"),
        ),
        (
            {"type": "screen", **screen},
            Expected("Screen Viewed", "view", {"name": "Cart", "id": screen["id_"]}, people),
        ),
    ]
    first = {"uid": user, "duid": anonymous, "base64": encoded}
    return Story([first, *(call for call, _ in told)], [expected for _, expected in told])
