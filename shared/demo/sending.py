"""The upstream systems of the demo: what each sends, how, and what it then knows to be safe."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from shared.contracts.envelope import Headers
from shared.contracts.topics import RAW_EVENTS
from shared.demo.gateway import CONNECTIONS, Gateway, GatewayRefusedError
from shared.demo.malformed import MALFORMED
from shared.demo.story import RawEvent
from shared.runtime.handler import Message
from shared.runtime.producing import Producing

AT_ONCE = 500


async def send(gateway: Gateway, events: Iterable[RawEvent], sent: Callable[[int], None]) -> set[str]:
    """Send events in batches over several connections; returns the ids of those that the gateway has answered for.

    `sent` is told each batch's size.

    Raises:
        GatewayRefusedError: a batch was refused, or something in it.
    """
    ids: set[str] = set()
    batches = _batches(events)

    async def work() -> None:
        for batch in batches:
            answer = await gateway.post("/v1/batch", b'{"batch":[%s]}' % b",".join(event.value for event in batch))
            if answer.accepted != len(batch):
                raise GatewayRefusedError(f"{answer.quarantined} of {len(batch)} good events are quarantined")
            ids.update(event.message_id for event in batch)
            sent(len(batch))

    connections = [asyncio.create_task(work()) for _ in range(CONNECTIONS)]
    try:
        await asyncio.gather(*connections)
    finally:
        for connection in connections:
            connection.cancel()
    return ids


async def send_malformed(producing: Producing, lanes: int) -> list[tuple[int, int]]:
    """Write the malformed records straight to the topic, as a broken system would; returns where each one is."""
    places = []
    for number, record in enumerate(MALFORMED):
        lane = number % lanes
        headers: Headers = list(record.headers)
        message = Message(f"malformed-{number}".encode(), record.value, headers)
        stretches: Sequence[tuple[int, int]] = await producing.send(RAW_EVENTS.name, lane, [(message, headers)])
        places += [(lane, first) for first, _ in stretches]
    return places


def _batches(events: Iterable[RawEvent]) -> Iterator[list[RawEvent]]:
    rest = iter(events)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch
