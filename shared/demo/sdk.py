"""A part of the demo's events goes in with a Segment-compatible SDK as it is, which was told another host."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from segment.analytics import Client  # type: ignore[import-untyped]  # the package has no types

from shared.demo.gateway import Entrance, GatewayRefusedError
from shared.demo.story import RawEvent

AT_ONCE = 100
LINGER_SECONDS = 0.1


class _Call(msgspec.Struct, rename="camel"):
    user_id: str
    message_id: str
    timestamp: datetime
    event: str
    properties: dict[str, Any]


def send_with_sdk(entrance: Entrance, events: Sequence[RawEvent]) -> tuple[set[str], int]:
    """Track every event and wait until the SDK is done; returns the ids that it delivered, and its requests.

    Blocks. Totals travel as the floats that SDKs make of them.

    Raises:
        GatewayRefusedError: the SDK gave something up.
    """
    given_up: list[str] = []
    client = Client(
        entrance.key,
        host=entrance.address,
        upload_size=AT_ONCE,
        upload_interval=LINGER_SECONDS,
        max_queue_size=len(events),
        on_error=lambda error, _items: given_up.append(str(error)),
    )
    ids = set()
    for event in events:
        call = msgspec.json.decode(event.value, type=_Call)
        taken, _ = client.track(
            call.user_id, call.event, call.properties, timestamp=call.timestamp, message_id=call.message_id
        )
        if not taken:
            raise GatewayRefusedError("the SDK's queue is full")
        ids.add(call.message_id)
    client.shutdown()
    if given_up:
        raise GatewayRefusedError(given_up[0])
    return ids, -(-len(events) // AT_ONCE)
