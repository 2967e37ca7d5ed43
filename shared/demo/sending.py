"""The upstream system of the demo: writes raw events to the topic, in batches, and knows what was acknowledged."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from shared.contracts.envelope import Headers
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import RAW_EVENTS
from shared.demo.malformed import MALFORMED
from shared.demo.story import SOURCE, RawEvent
from shared.runtime.handler import DirectMessage, Message
from shared.runtime.producing import Producing

CHUNK = 4000
HEADERS: Headers = [("source", SOURCE.encode())]


async def send(producing: Producing, events: Iterable[RawEvent], lanes: int, sent: Callable[[int], None]) -> set[str]:
    """Send events and return the ids of those that Kafka acknowledged; `sent` is told each chunk's size."""
    ids: set[str] = set()
    rest = iter(events)
    while chunk := list(islice(rest, CHUNK)):
        await producing.produce([_message(event, lanes) for event in chunk])
        ids.update(event.message_id for event in chunk)
        sent(len(chunk))
    return ids


async def send_malformed(producing: Producing, lanes: int) -> list[tuple[int, int]]:
    """Send the malformed records as a broken system would; returns the (partition, offset) of each."""
    places = []
    for number, record in enumerate(MALFORMED):
        lane = number % lanes
        headers: Headers = list(record.headers)
        message = Message(f"malformed-{number}".encode(), record.value, headers)
        stretches: Sequence[tuple[int, int]] = await producing.send(RAW_EVENTS.name, lane, [(message, headers)])
        places += [(lane, first) for first, _ in stretches]
    return places


def _message(event: RawEvent, lanes: int) -> DirectMessage:
    key = event.user_id
    return DirectMessage(RAW_EVENTS.name, lane_of(key, lanes), Message(key.encode(), event.value, HEADERS))
