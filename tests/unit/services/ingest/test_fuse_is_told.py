"""A source that pauses itself is told to whoever reads logs; what was counted is what the batch had."""

from typing import Any

from structlog.testing import capture_logs

from services.ingest.domain.tallies import OTHER, Tally
from services.ingest.handlers import IngestHandler
from shared.runtime.records import Received
from tests.unit.services.ingest.memory import InMemoryQuarantine, InMemorySourceFuse
from tests.unit.services.ingest.records import APPENDED, READER, raw, track

CONNECTION: Any = None  # neither of the two asks for one


async def test_a_blown_fuse_is_logged_with_the_source_and_a_whole_one_is_not() -> None:
    fuse = InMemorySourceFuse(["web-shop"])
    handler = IngestHandler(READER, 4, InMemoryQuarantine(), fuse)
    record = raw({"batch": [track(), 1]})
    events = [Received(record, index, event) for index, event in enumerate(handler.decode(record))]
    with capture_logs() as told:
        await handler.save(CONNECTION, handler.decide(events, (), None, APPENDED).rows)
        await handler.save(CONNECTION, handler.decide((), (), None, APPENDED).rows)
    assert fuse.counted == [({(OTHER, record.partition): Tally(2, 1)}, APPENDED)]
    assert [(line["action"], line["source"], line["log_level"]) for line in told] == [
        ("source.fuse", "web-shop", "warning")
    ]
