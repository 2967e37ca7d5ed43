"""Sources and keys that are a value; it refuses or hangs when it is told to."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from services.ingest.ports import Snapshot


class InMemorySources:
    """Answers with `snapshot`, and keeps the uses that it is told of."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.uses: list[Mapping[str, datetime]] = []
        self.refusal: Exception | None = None
        self.use_refusal: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self.hangs = False

    async def read(self) -> Snapshot:
        if self.hangs:
            await asyncio.Event().wait()
        if self.refusal is not None:
            raise self.refusal
        return self.snapshot

    async def note_uses(self, uses: Mapping[str, datetime]) -> None:
        self.meanwhile()
        if self.use_refusal is not None:
            raise self.use_refusal
        self.uses.append(uses)
