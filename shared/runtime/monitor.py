"""What readiness and lag are measured by: asking Kafka, with a deadline, where our inputs end."""

import asyncio

from aiokafka import AIOKafkaConsumer

from shared.runtime import kafka_input
from shared.runtime.group import Group
from shared.runtime.logs import logger
from shared.runtime.reading import Reader
from shared.runtime.retry import Verdict, verdict

log = logger(__name__)

LOOK_SECONDS = 10.0
DEADLINE_SECONDS = 5.0

_WAITING = """
    SELECT topic, sum(cardinality(keys)), extract(epoch FROM clock_timestamp() - min(committed_at))
    FROM publications WHERE lane = ANY(%s) GROUP BY topic
"""


class Monitor:
    """Measures this process every ten seconds, and its positions' integrity at the interval that settings say."""

    def __init__(self, group: Group, looker: AIOKafkaConsumer, peeker: AIOKafkaConsumer, reader: Reader) -> None:
        self._group = group
        self._looker = looker
        self._peeker = peeker
        self._reader = reader
        self._checked_at = 0.0
        self._reasons: set[str] = set()

    async def run(self) -> None:
        """Measure until cancelled.

        Raises:
            FatalError: positions mean nothing any more.
        """
        while True:
            try:
                await self.measure()
                loop_time = asyncio.get_running_loop().time()
                if loop_time - self._checked_at >= self._group.settings.integrity_interval_seconds:
                    await self._reader.check()
                    self._checked_at = loop_time
            except Exception as error:
                # A broker that is away makes us unready, never dead.
                if verdict(error) is Verdict.STOP:
                    raise
                log.warning("A measurement failed", action="monitor.retry", exc_info=error)
            await asyncio.sleep(min(LOOK_SECONDS, self._group.settings.integrity_interval_seconds))

    async def measure(self) -> None:
        """Set the gauges of lag and of what waits to be published or dealt with."""
        await self._measure_lag()
        await self._measure_tables()

    async def _measure_lag(self) -> None:
        group = self._group
        held = dict(group.processor.positions)
        # A spare replica holds nothing and asks all the same: it is ready when Kafka answers.
        asked = held or [(topic, 0) for topic in group.inputs]
        async with asyncio.timeout(DEADLINE_SECONDS):
            ends = await kafka_input.ends(self._looker, asked)
        group.health.kafka_answered()
        if not held:
            return
        behind = {place: max(0, ends[place] - position.next_offset) for place, position in held.items()}
        for (topic, partition), count in behind.items():
            group.metrics.gauge("crm_consumer_lag_records", topic=topic, partition=str(partition)).set(count)
        # Asked of the log itself: what was applied last says nothing of a log that was silent, or of a first start.
        waiting = {place: held[place].next_offset for place, count in behind.items() if count}
        async with asyncio.timeout(DEADLINE_SECONDS):
            written = await kafka_input.written_at(self._peeker, waiting) if waiting else {}
        now = group.clock.now().timestamp()
        seconds = {place: max(0.0, now - written.get(place, now)) for place in held}
        for (topic, partition), age in seconds.items():
            group.metrics.gauge("crm_consumer_lag_seconds", topic=topic, partition=str(partition)).set(age)
        group.health.lag_seen(max(seconds.values()))

    async def _measure_tables(self) -> None:
        group = self._group
        async with group.pool.connection() as connection:
            cursor = await connection.execute(_WAITING, (sorted(group.claims.lanes),))
            waiting = {topic: (count, age) for topic, count, age in await cursor.fetchall()}
            cursor = await connection.execute(group.open_dead_letters)
            dead = await cursor.fetchall()
        for topic in group.outputs:
            count, age = waiting.get(topic, (0, 0.0))
            group.metrics.gauge("crm_publications_waiting", topic=topic).set(float(count))
            group.metrics.gauge("crm_publications_oldest_seconds", topic=topic).set(float(age))
        counts = dict.fromkeys(self._reasons, 0) | dict(dead)  # what was dealt with is told once more, as none
        for reason, count in counts.items():
            group.metrics.gauge("crm_dead_letters_open", reason=reason).set(count)
        self._reasons.update(counts)
