"""Faults of the group: members that come and go every second, some in good order, some killed."""

import asyncio
import threading
from collections.abc import Iterator

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from tests.faults.rows import Outcome, Row, outcome
from tests.faults.scene import Scene
from tests.faults.subjects import Subject

ROUNDS = 4
GUESTS_EACH = 3
AFTERWARDS = 1000


def churn(scene: Scene) -> Outcome:
    """One worker stays; others join and are told to leave or killed, and between them guests that read nothing."""
    stays = scene.worker("stays")
    stays.wait_claimed()
    feed = scene.feed().start()
    wrong = []
    guests = 0
    for number in range(ROUNDS):
        comes = scene.worker(f"comes-{number}")
        comes.wait_claimed()
        guests += visit(scene, GUESTS_EACH)
        if number % 2:
            comes.process.kill()
            comes.wait_end()
        else:
            comes.terminate()
            code = comes.wait_end(30)
            wrong += [] if code == 0 else [f"{comes.name} left with {code} ({comes.error()})"]
    feed.wait_more(AFTERWARDS)
    feed.stop()
    fired = f"{ROUNDS} workers and {guests} idle members joined and left, {ROUNDS // 2} of them killed"
    return outcome(scene, fired, more=wrong)


def visit(scene: Scene, times: int) -> int:
    """Join the service's group as somebody who takes lanes and reads nothing, and leave, so many times."""

    async def come_and_go() -> None:
        for _ in range(times):
            guest = AIOKafkaConsumer(
                *[topic.name for topic in scene.subject.stage.inputs],
                bootstrap_servers=scene.world.kafka,
                group_id=f"crm-{scene.subject.stage.service}",
                enable_auto_commit=False,
                auto_offset_reset="latest",
                partition_assignment_strategy=(RangePartitionAssignor,),
                session_timeout_ms=6000,
                heartbeat_interval_ms=500,
            )
            try:
                async with asyncio.timeout(30):
                    await guest.start()
                    # The first poll returns once the join is over, whatever its time-out says.
                    await guest.getmany(timeout_ms=200, max_records=1)
            finally:
                await guest.stop()

    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(come_and_go())
        except BaseException as error:  # noqa: BLE001 - raised again in the row's own thread
            failed.append(error)

    thread = threading.Thread(target=run, name="guests")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return times


def rows(subject: Subject) -> Iterator[Row]:
    """Give the row of one service."""
    yield Row(subject, "members come and go", churn)
