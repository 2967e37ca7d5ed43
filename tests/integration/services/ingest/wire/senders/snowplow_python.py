"""Sends events with snowplow-tracker, as a customer's program does."""

import json
import sys
import time
from typing import Any

from snowplow_tracker import (  # type: ignore[import-not-found,unused-ignore]  # lives in its own environment
    Emitter,
    PagePing,
    PageView,
    ScreenView,
    SelfDescribing,
    SelfDescribingJson,
    StructuredEvent,
    Subject,
    Tracker,
)

KINDS = {"page": PageView, "ping": PagePing, "struct": StructuredEvent, "screen": ScreenView}


def main(host: str, key: str, calls: list[dict[str, Any]], method: str) -> None:
    """Track every event, wait until the SDK is done, and say which ids it gave and what it lost."""
    first, *rest = calls
    delivered: list[Any] = []
    emitter = Emitter(f"{host}/s/{key}", method=method, on_success=delivered.extend)
    subject = Subject().set_user_id(first["uid"]).set_domain_user_id(first["duid"])
    subject.set_lang("de-DE").set_timezone("Europe/Berlin")
    tracker = Tracker("shop", emitter, subject, app_id="shop", encode_base64=first["base64"])
    ids = []
    for call in rest:
        kind = call.pop("type")
        if kind == "described":
            event = SelfDescribing(SelfDescribingJson(call.pop("schema"), call.pop("data")), **call)
        else:
            event = KINDS[kind](**call)
        event.context = [SelfDescribingJson("iglu:com.acme/shop/jsonschema/1-0-0", {"name": "Köln"})]
        ids.append(tracker.track(event))
    tracker.flush()
    until = time.monotonic() + 60
    while len(delivered) < len(rest) and time.monotonic() < until:
        time.sleep(0.02)
    lost = sorted(set(ids) - {event["eid"] for event in delivered})
    sys.stdout.write(json.dumps({"ids": ids, "lost": lost}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.load(sys.stdin), sys.argv[3] if len(sys.argv) > 3 else "post")
