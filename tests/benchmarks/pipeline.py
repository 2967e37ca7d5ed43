"""The whole pipeline: raw events through all five services until every one of them is quiet."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import psycopg

from shared.demo.settling import STREAM, Settling
from shared.local.platform import Platform
from shared.local.stack import StackAddresses
from shared.runtime.handler import DirectMessage
from shared.runtime.kafka_input import new_reader
from shared.runtime.producing import Producing
from shared.runtime.settings import RuntimeSettings
from tests.benchmarks.measured import Measured

CHUNK = 4000


def measure(addresses: StackAddresses, events: Sequence[DirectMessage], folder: Path, config: Path) -> Measured:
    """Send all events to running services and wait until the last of them is settled everywhere."""
    environment = {"CRM_KAFKA_BOOTSTRAP_SERVERS": addresses.kafka, "CRM_DATABASE_URL": addresses.database_url}
    platform = Platform(folder, config, environment=environment)
    platform.up()
    try:
        return asyncio.run(_measure(addresses, events, platform))
    finally:
        platform.down()


async def _measure(addresses: StackAddresses, events: Sequence[DirectMessage], platform: Platform) -> Measured:
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": addresses.kafka, "database_url": addresses.database_url}
    )
    producing, reader = Producing(settings), new_reader(settings)
    await producing.start()
    await reader.start()
    try:
        async with await psycopg.AsyncConnection.connect(addresses.database_url, autocommit=True) as connection:
            began, cpu = time.perf_counter(), _cpu(platform)
            for first in range(0, len(events), CHUNK):
                await producing.produce(events[first : first + CHUNK])
            await Settling(connection, reader, settings.lanes).until_quiet(lambda _service, _standing: None)
            seconds, cpu = time.perf_counter() - began, _cpu(platform) - cpu
    finally:
        await reader.stop()
        await producing.stop()
    return Measured(len(events), seconds, cpu, _rss(platform))


def _cpu(platform: Platform) -> float:
    times = [process.cpu_times() for process in _processes(platform)]
    return float(sum(time.user + time.system for time in times))


def _rss(platform: Platform) -> float:
    return float(sum(process.memory_info().rss for process in _processes(platform)) / 1024 / 1024)


def _processes(platform: Platform) -> list[psutil.Process]:
    found = [platform.program(service).identity for service in STREAM]
    return [process for one in found if one is not None and (process := one.process()) is not None]
