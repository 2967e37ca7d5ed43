"""The composition root of the counting service."""

from pathlib import Path
from typing import NoReturn

from shared.runtime.schema_revision import History
from shared.runtime.settings import RuntimeSettings
from shared.runtime.worker import Service, run
from tests.counting.handler import CountingHandler, CountingOutlet
from tests.counting.topics import CLICKS, COUNTED, COUNTS

HISTORY = History("counting", Path(__file__).parent / "migrations")


def service(_settings: RuntimeSettings) -> Service:
    return Service(
        name="counting",
        inputs=(CLICKS,),
        outputs=(COUNTS, COUNTED),
        handler=lambda runtime: CountingHandler(runtime.failpoints),
        outlet=lambda _runtime: CountingOutlet(),
        stage=None,
    )


def main() -> NoReturn:
    run("counting", RuntimeSettings, service, HISTORY)
