"""What browser SDKs send, replayed over a socket: it arrives, and the page that sent it may read the answer."""

import base64
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.interactions import Interaction
from tests.integration.services.ingest.wire.conftest import Wire
from tests.integration.services.ingest.wire.sockets import Answer, ask

RECORDED = Path(__file__).parents[4] / "golden" / "http"
PAGE = "https://shop.example"
VIEWED = ("Product Viewed", "browse")
READ: dict[str, tuple[str, str]] = {
    "track": VIEWED,
    "identify": ("Identify", "identify"),
    "page": ("Page Viewed", "view"),
    "screen": ("Screen Viewed", "view"),
    "group": ("Group Joined", "group"),
    "alias": ("Alias Requested", "alias"),
}
CALLS = sorted(path.stem for path in RECORDED.glob("*.http") if path.stem.rpartition("-")[2] in READ)
BATCHES = ("analytics-next-batch", "analytics-js-batch", "analytics-js-beacon")
PREFLIGHTS = ("analytics-next-preflight", "analytics-js-preflight", "analytics-js-preflight-again")
SETTINGS = ("analytics-next-settings", "analytics-js-source-config", "analytics-js-ad-blocker")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is on no other page."""

    user: str
    anonymous: str
    id: str


def visitor() -> Visitor:
    return Visitor(f"u-{secrets.token_hex(6)}", f"a-{secrets.token_hex(6)}", secrets.token_hex(16))


def replayed(wire: Wire, name: str, who: Visitor) -> Answer:
    """Fill a recorded request in and send it."""
    head, _, body = (RECORDED / f"{name}.http").read_text("utf-8").partition("\n\n")
    filled = {
        "key": wire.key,
        "basic": base64.b64encode(f"{wire.key}:".encode()).decode(),
        "host": f"127.0.0.1:{wire.gateway.port}",
        "now": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "user": who.user,
        "anonymous": who.anonymous,
        "anonymous64": base64.b64encode(who.anonymous.encode()).decode(),
        "id": who.id,
    }
    for what, value in filled.items():
        head, body = (text.replace(f"{{{what}}}", value) for text in (head, body))
    data = body.encode()
    head = head.replace("{length}", str(len(data)))
    method = head.partition(" ")[0]
    return ask(wire.gateway.port, head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + data, method=method)


def check_readable(answer: Answer) -> None:
    """Check what a browser wants before its page may read an answer to a request with credentials."""
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"


def check_view(found: Interaction, expected: tuple[str, str]) -> None:
    assert (found.name, found.family) == expected
    assert abs(found.occurred_at - datetime.now(UTC)) < timedelta(seconds=30)
    circumstances = json.loads(bytes(found.context))
    assert circumstances["page"]["title"] == "Türen & Töpfe"
    assert circumstances["locale"] == "de-DE"


def test_every_recorded_request_is_replayed() -> None:
    names = {path.stem for path in RECORDED.glob("*.http")}
    assert names == {*CALLS, *BATCHES, *PREFLIGHTS, *SETTINGS}
    assert len(CALLS) == 11


@pytest.mark.parametrize("name", CALLS)
def test_a_browsers_call_arrives_once_and_its_page_reads_the_answer(wire: Wire, name: str) -> None:
    who = visitor()
    wire.topic.mark()
    answer = replayed(wire, name, who)
    assert (answer.status, answer.said) == (200, {"success": True, "accepted": 1, "quarantined": 0})
    check_readable(answer)
    (found,) = wire.topic.readings()
    assert isinstance(found, Interaction)
    assert found.message_id.endswith(who.id)
    kind = name.rpartition("-")[2]
    check_view(found, READ[kind])
    people = {(one.kind, one.value) for one in found.identities}
    assert people == {("anonymous_id", who.anonymous), *([] if kind == "track" else [("user_id", who.user)])}
    assert json.loads(bytes(found.payload)).items() >= said_by(kind, who).items()


def said_by(kind: str, who: Visitor) -> dict[str, Any]:
    match kind:
        case "track":
            return {"product_id": "mug"}
        case "identify":
            return {"traits": {"plan": "pro"}}
        case "group":
            return {"group_id": "g-1", "plan": "pro"}
        case "alias":
            return {"previous_id": who.anonymous}
    return {"name": "Home" if kind == "page" else "Cart"}


@pytest.mark.parametrize("name", BATCHES)
def test_a_browsers_batch_arrives_also_when_it_is_sent_while_the_page_closes(wire: Wire, name: str) -> None:
    who = visitor()
    wire.topic.mark()
    answer = replayed(wire, name, who)
    assert (answer.status, answer.said) == (200, {"success": True, "accepted": 2, "quarantined": 0})
    check_readable(answer)
    first, second = wire.topic.readings()
    assert isinstance(first, Interaction)
    assert isinstance(second, Interaction)
    check_view(first, READ["page"])
    check_view(second, VIEWED)
    assert first.message_id != second.message_id


@pytest.mark.parametrize("name", PREFLIGHTS)
def test_a_preflight_allows_all_that_the_sdk_is_about_to_send(wire: Wire, name: str) -> None:
    answer = replayed(wire, name, visitor())
    assert (answer.status, answer.body) == (204, b"")
    check_readable(answer)
    asked = next(
        line.partition(": ")[2]
        for line in (RECORDED / f"{name}.http").read_text("utf-8").splitlines()
        if line.startswith("Access-Control-Request-Headers")
    )
    allowed = {header.strip() for header in answer.headers["access-control-allow-headers"].split(",")}
    assert set(asked.split(",")) <= allowed
    assert "POST" in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_settings_that_an_sdk_waits_for_are_given_to_its_page(wire: Wire, name: str) -> None:
    answer = replayed(wire, name, visitor())
    assert answer.status == 200
    check_readable(answer)
    if name == "analytics-next-settings":
        vendor = answer.said["integrations"]["Segment.io"]
        assert vendor["apiHost"] == f"127.0.0.1:{wire.gateway.port}/v1"
        assert (vendor["apiKey"], vendor["protocol"]) == (wire.key, "http")
    elif name == "analytics-js-source-config":
        assert answer.said["source"]["enabled"] is True
        assert answer.said["source"]["writeKey"] == wire.key
    else:
        assert answer.body == b""
