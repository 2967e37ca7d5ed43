"""Two shops' events as the gateway writes them, six of which can be broken, and the patch that mends each of those."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from shared.contracts.envelope import Headers

OPEN, STRICT = "web-shop", "erp"

PATCHES: Mapping[tuple[str, str], list[dict[str, Any]]] = {
    (OPEN, "/properties/total"): [{"op": "move", "from": "/properties/amount", "path": "/properties/total"}],
    (OPEN, "/event"): [{"op": "add", "path": "/event", "value": "Product Viewed"}],
    (STRICT, "/event"): [{"op": "replace", "path": "/event", "value": "Order Completed"}],
}
"""By source and path. The patch of the clock that is far off needs the right time: see `Story.patches`."""


@dataclass(frozen=True, slots=True)
class Said:
    """A record on its way to the topic of raw events."""

    value: Mapping[str, Any]
    headers: Headers

    @property
    def data(self) -> bytes:
        """Return the record's bytes."""
        return msgspec.json.encode(self.value)


@dataclass(frozen=True, slots=True)
class Story:
    """The same story in each run: it begins at the same instant, and its records were received at the same ones."""

    start: datetime

    def patches(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Return what mends each cause, by source and path."""
        right = {"op": "replace", "path": "/originalTimestamp", "value": self._at(_CLOCK)["originalTimestamp"]}
        return {**PATCHES, (OPEN, "/originalTimestamp"): [right]}

    def records(self, *, broken: bool) -> Iterator[Said]:
        """Tell the story, with what can be broken as it should be or as it should not."""
        for number, (source, value) in enumerate(self._values(broken=broken)):
            received = self.start + timedelta(seconds=number)
            yield Said(value, [("source", source.encode()), ("received_at", received.isoformat().encode())])

    def _values(self, *, broken: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        yield OPEN, _identify("eva", self._ago(days=60))
        yield OPEN, _consent("eva", self._ago(days=60))
        yield OPEN, _identify("ben", self._ago(days=50))
        yield OPEN, _consent("ben", self._ago(days=50))
        # A wrong type: her first order of all, before any window.
        yield OPEN, _order("eva", "e-1", {"timestamp": self._ago(days=40)}, 59.5, broken=broken)
        yield OPEN, _order("eva", "e-2", {"timestamp": self._ago(days=2)}, 20)
        # A name that the strict source must not say: the order that lets her into the segment.
        yield STRICT, _order("eva", "e-3", {"timestamp": self._ago(days=1)}, 35.25) | _named(broken=broken)
        yield STRICT, _order("ben", "b-1", {"timestamp": self._ago(days=3)}, 10)
        # A clock far off: when it happened follows from when it was received.
        times = self._at(_CLOCK) | ({"originalTimestamp": "2062-10-01T10:04:00+00:00"} if broken else {})
        yield OPEN, _order("ben", "b-2", times, 12.5)
        # No time at all: it happened when it was received.
        yield (
            OPEN,
            {"type": "track", "messageId": "v-1", "userId": "ben", "properties": {"product_id": "p-1"}}
            | ({} if broken else {"event": "Product Viewed"}),
        )
        yield OPEN, self._batch(broken=broken)

    def _batch(self, *, broken: bool) -> dict[str, Any]:
        times = self._at(timedelta(seconds=400))
        sent = times.pop("sentAt")
        nameless = _order("ida", "i-2", times, 3.5, broken=broken)
        del nameless["messageId"]
        return {
            "sentAt": sent,
            "context": {"locale": "de-AT", "campaign": {"name": "autumn"}, "traits": {"firstName": "Ida"}},
            "integrations": {"All": True},
            "batch": [
                {"type": "page", "name": "Mugs", "messageId": "p-1", "userId": "ida", **times},
                _order("ida", "i-1", times, 8, broken=broken),
                nameless,
                {"type": "track", "event": "Cart Viewed", "userId": "ida", "properties": {"cart_id": "c-1"}, **times},
            ],
        }

    def _ago(self, *, days: int) -> str:
        return (self.start - timedelta(days=days)).isoformat()

    def _at(self, before: timedelta) -> dict[str, str]:
        """Write a sender's times whose clock is three hours slow: how long before it was sent something happened."""
        sent = self.start - timedelta(hours=3)
        return {"originalTimestamp": (sent - before).isoformat(), "sentAt": sent.isoformat()}


_CLOCK = timedelta(seconds=90)


def _identify(user: str, at: str) -> dict[str, Any]:
    traits = {"email": f"{user}@shop.example", "firstName": user.title()}
    return {"type": "identify", "messageId": f"identify-{user}", "userId": user, "timestamp": at, "traits": traits}


def _consent(user: str, at: str) -> dict[str, Any]:
    properties = {"purpose": "marketing", "channel": "email"}
    named = {"type": "track", "event": "Consent Given", "messageId": f"consent-{user}"}
    return {**named, "userId": user, "timestamp": at, "properties": properties}


def _order(user: str, number: str, times: Mapping[str, str], total: float, *, broken: bool = False) -> dict[str, Any]:
    said = {"total": f"{total} EUR", "amount": total} if broken else {"total": total}
    properties = {"order_id": number, "currency": "EUR", **said}
    named = {"type": "track", "event": "Order Completed", "messageId": f"order-{number}"}
    return {**named, "userId": user, "properties": properties, **times}


def _named(*, broken: bool) -> dict[str, str]:
    return {"event": "Order Complete"} if broken else {}
