"""The demo's way in: a source of its own, and the gateway over HTTP, as any upstream system has them."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from shared.local.platform import GATEWAY, Platform
from shared.local.ports import LOOPBACK

CONNECTIONS = 4
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.25
LATER = (429, 503)
UNKNOWN_KEY = 401


class GatewayRefusedError(Exception):
    """The gateway did not take what it was sent, or nobody could ask it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The gateway did not take the demo's events: {what}. See .rapport/demo/logs/{GATEWAY}.log")


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where events are taken, and a write key that is good there."""

    address: str
    key: str


class Answer(msgspec.Struct, frozen=True):
    """What the gateway says of a request that it took."""

    accepted: int
    quarantined: int


def new_entrance(platform: Platform, source: str) -> Entrance:
    """Register a source with the product's own command, which shows its key once.

    Raises:
        GatewayRefusedError: the command did not do it.
    """
    command = [sys.executable, "-m", "shared.cli", "ingest", "sources", "add", source, "--json"]
    environment = {**os.environ, **platform.variables()}
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if made.returncode:
        raise GatewayRefusedError(made.stderr.strip())
    return Entrance(f"http://{LOOPBACK}:{platform.program(GATEWAY).port}", json.loads(made.stdout)["key"])


class Gateway:
    """A sender with a few connections, who waits and sends again when told to."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self.requests = 0

    async def __aenter__(self) -> Self:
        """Open; returns once the gateway knows the key, which takes it two seconds at most.

        Raises:
            GatewayRefusedError: it does not get to know it.
        """
        self._session = aiohttp.ClientSession(
            self._entrance.address,
            headers={
                "authorization": aiohttp.encode_basic_auth(self._entrance.key),
                "content-type": "application/json",
            },
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS),
        )
        try:
            await self._post("/v1/batch", b'{"batch":[]}', (*LATER, UNKNOWN_KEY))
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._session.close()

    async def post(self, path: str, body: bytes) -> Answer:
        """Send one request until it is taken: then Kafka has all of it.

        Raises:
            GatewayRefusedError: it is refused, or was not taken for a minute.
        """
        self.requests += 1
        return msgspec.convert(await self._post(path, body, LATER), Answer)

    async def _post(self, path: str, body: bytes, again: tuple[int, ...]) -> Any:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + PATIENCE_SECONDS
        while True:
            try:
                async with self._session.post(path, data=body) as answer:
                    said, status = await answer.text(), answer.status
                    pause = float(answer.headers.get("retry-after", PAUSE_SECONDS))
            except (aiohttp.ClientError, TimeoutError) as error:
                said, status, pause = type(error).__name__, 0, PAUSE_SECONDS
            if status == 200:  # noqa: PLR2004 - the one success that SDKs know
                return json.loads(said)
            if (status and status not in again) or loop.time() > ends_at:
                raise GatewayRefusedError(f"{status or 'no answer'}: {said[:300]}")
            await asyncio.sleep(pause)
