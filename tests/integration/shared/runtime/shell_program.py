"""A service's program for the tests of the shell: one consumer on the real broker, and one way to misbehave."""

import asyncio
import ctypes
import os
import sys
from typing import Any

import mode
from aiokafka import AIOKafkaConsumer

from shared.runtime.errors import FatalError
from shared.runtime.failpoints import Failpoints, failpoints_for
from shared.runtime.health import Health
from shared.runtime.metrics import Metrics
from shared.runtime.settings import RuntimeSettings
from shared.runtime.shell import ServiceApp, build_app, run_service

BEHAVIOUR, TOPIC = sys.argv[1], sys.argv[2]


def say(word: str) -> None:
    """Write a word for the test to wait for."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


class Pool(mode.Service):
    """Stands for what is closed last."""

    async def on_start(self) -> None:
        say("pool opened")

    async def on_shutdown(self) -> None:
        say("pool closed")


class Reader(mode.Service):
    """Joins a group on the real broker, and misbehaves when told so."""

    def __init__(self, settings: RuntimeSettings, health: Health, failpoints: Failpoints, **kwargs: Any) -> None:
        self._settings = settings
        self._health = health
        self._failpoints = failpoints
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        if BEHAVIOUR == "fail-at-start":
            raise FatalError("the start was refused")
        if BEHAVIOUR == "hang-at-start":
            say("hanging at start")
            await asyncio.Event().wait()
        self._consumer = AIOKafkaConsumer(
            TOPIC, bootstrap_servers=self._settings.kafka_bootstrap_servers, group_id=f"{TOPIC}-{os.getpid()}"
        )
        await self._consumer.start()
        self._health.kafka_answered()
        self._health.satisfied("joined")
        self._health.satisfied("claims")

    async def on_stop(self) -> None:
        say("drained")
        if BEHAVIOUR == "hang-at-stop":
            await asyncio.Event().wait()
        await self._consumer.stop()

    @mode.Service.task
    async def _read(self) -> None:
        say("reading")
        if BEHAVIOUR == "crash":
            raise ValueError("canary-7f3a")
        if BEHAVIOUR == "block":
            while True:
                pass
        if BEHAVIOUR == "block-in-c":
            ctypes.CDLL(None).pause()
        while not self.should_stop:
            self._failpoints.hit("after_poll")
            self._health.moved()
            await asyncio.sleep(0.01)


def compose(settings: RuntimeSettings) -> ServiceApp:
    """Wire the program."""
    if BEHAVIOUR == "refuse":
        raise FatalError("the schema is at another revision")
    health = Health()
    reader = Reader(settings, health, failpoints_for("counting"))
    return build_app("counting", settings, services=[Pool(), reader], health=health, metrics=Metrics("counting"))


if __name__ == "__main__":
    say(f"pid {os.getpid()}")
    run_service("counting", RuntimeSettings, compose)
