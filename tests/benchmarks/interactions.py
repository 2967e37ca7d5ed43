"""Baskets as interactions straight on profile's topic: as ingest makes them, by whoever the benchmark says did them."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader, Refused, read
from services.ingest.messages import interaction_message
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import INTERACTIONS
from shared.local.stack import StackAddresses
from shared.runtime.handler import DirectMessage
from shared.runtime.producing import Producing
from shared.runtime.records import PlainRecord
from shared.runtime.settings import RuntimeSettings
from tests.benchmarks.baskets import Basket, raw_events
from tests.benchmarks.servers import recreate

SECRET = b"the names of a benchmark"
RECEIVED_MS = 1_520_000_000_000
"""After the last basket."""
MERGE_EVERY = 1000
CHUNK = 4000
Named = Callable[[int, Basket], dict[str, str]]
"""Tells whom the n-th basket names."""


class RefusedBasketError(Exception):
    """Ingest did not take a basket."""


def apart(number: int, basket: Basket) -> dict[str, str]:
    """Every other basket with the account, the rest with the card alone: nobody is ever linked."""
    return {"userId": f"h-{basket.household}"} if number % 2 else {"anonymousId": f"card-{basket.household}"}


def merging(number: int, basket: Basket) -> dict[str, str]:
    """The same, but that each thousandth names both: two customers who did things before become one."""
    if number % MERGE_EVERY == 0:
        return {"userId": f"h-{basket.household}", "anonymousId": f"card-{basket.household}"}
    return apart(number, basket)


def interactions(found: Sequence[Basket], named: Named, lanes: int) -> Iterator[DirectMessage]:
    """Make the interactions, each in the lane of its strongest identity.

    Raises:
        RefusedBasketError: one is not accepted.
    """
    reader = Reader(Identities(SECRET))
    for offset, raw in enumerate(raw_events(found, lanes, named)):
        record = PlainRecord(
            topic=raw.topic,
            partition=raw.lane,
            offset=offset,
            timestamp=RECEIVED_MS,
            key=raw.message.key,
            value=raw.message.value,
            headers=raw.message.headers,
        )
        (event,) = read(record, reader)
        if isinstance(event, Refused):
            raise RefusedBasketError(event.problem)
        yield DirectMessage(INTERACTIONS.name, lane_of(event.identities[0].id, lanes), interaction_message(event))


def publish(addresses: StackAddresses, messages: Iterable[DirectMessage], lanes: int) -> None:
    """Put these in place of what is on the topic."""
    recreate(addresses.kafka, [INTERACTIONS], lanes)
    asyncio.run(_publish(addresses, list(messages)))


async def _publish(addresses: StackAddresses, messages: Sequence[DirectMessage]) -> None:
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": addresses.kafka, "database_url": addresses.database_url}
    )
    producing = Producing(settings)
    await producing.start()
    try:
        for first in range(0, len(messages), CHUNK):
            await producing.produce(messages[first : first + CHUNK])
    finally:
        await producing.stop()
