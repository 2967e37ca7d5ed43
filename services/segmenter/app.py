"""The composition root of the segmenter: customers, activities and the clock in, entries and exits out."""

import asyncio
from typing import NoReturn

import mode
import psycopg

from services.segmenter.adapters.definition_files import read_folder
from services.segmenter.adapters.postgres_customers import PostgresCustomers
from services.segmenter.adapters.postgres_definitions import connect, register
from services.segmenter.adapters.postgres_outlet import PostgresOutlet
from services.segmenter.adapters.sweep import sweep
from services.segmenter.changes_counted import ChangesCounted
from services.segmenter.domain.catalogue import Catalogue
from services.segmenter.handlers import SegmenterHandler
from services.segmenter.settings import SegmenterSettings
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, SEGMENT_CHANGES, SEGMENT_MEMBERSHIPS
from shared.runtime.errors import FencedError
from shared.runtime.logs import logger
from shared.runtime.repeated import Repeated
from shared.runtime.retry import Verdict, verdict
from shared.runtime.schema_revision import DatabaseUnreachableError
from shared.runtime.worker import Runtime, Service, run

log = logger(__name__)

SWEEP_SECONDS = 0.5
LOOK_SECONDS = 5.0

_MEMBERS = "SELECT segment, count(*) FROM memberships WHERE inside GROUP BY segment"

# A batch touches thousands of rows by key; a plan that reads the whole table is wrong at every size that matters.
_SESSION = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}


class Sweeper(mode.Service):
    """Wakes the customers of each lane we come to hold that were last judged by an older catalogue."""

    def __init__(self, runtime: Runtime, catalogue: Catalogue) -> None:
        super().__init__()
        self._runtime = runtime
        self._revision = catalogue.revision
        self._swept: dict[int, int] = {}

    @mode.Service.task
    async def _sweep_until_stopped(self) -> None:
        while not self.should_stop:
            await asyncio.sleep(SWEEP_SECONDS)
            for lane in sorted(self._runtime.claims.lanes):
                await self._sweep(lane)

    async def _sweep(self, lane: int) -> None:
        runtime = self._runtime
        try:
            epoch = runtime.claims.epochs([lane])[lane]
            if self._swept.get(lane) != epoch:
                await sweep(runtime.transactions, lane, self._revision, runtime.clock.now())
                self._swept[lane] = epoch
        except FencedError:
            return  # its new owner sweeps it
        except Exception as error:
            if verdict(error) is not Verdict.RETRY:
                raise
            log.warning("A sweep failed and is tried again", action="sweep.retry", exc_info=error)


class MembersCounted:
    """The gauges of who is in which segment."""

    def __init__(self, runtime: Runtime, catalogue: Catalogue, changes: ChangesCounted) -> None:
        self._runtime = runtime
        self._names = {segment.name for segment in catalogue.segments}
        self._changes = changes

    async def look(self) -> None:
        """Count members, and the changes that stand."""
        self._changes.look()
        async with self._runtime.pool.connection() as connection:
            cursor = await connection.execute(_MEMBERS)
            members = dict.fromkeys(self._names, 0) | dict(await cursor.fetchall())
        for segment, count in members.items():
            self._runtime.metrics.gauge("crm_segment_members", segment=segment).set(count)
        self._names |= set(members)


def service(settings: SegmenterSettings) -> Service:
    """Read and register the definitions, and wire the segmenter to judge by them."""
    definitions = read_folder(settings.definitions_dir)
    try:
        with connect(settings.database_url.get_secret_value()) as connection:
            catalogue = register(connection, definitions)
    except psycopg.OperationalError as error:
        raise DatabaseUnreachableError(error) from None
    changes: list[ChangesCounted] = []

    def handler(runtime: Runtime) -> SegmenterHandler:
        changes.append(ChangesCounted(runtime.metrics))
        return SegmenterHandler(catalogue, PostgresCustomers(), changes[-1], settings.lanes)

    return Service(
        name="segmenter",
        inputs=(CUSTOMERS, ACTIVITIES),
        outputs=(SEGMENT_CHANGES, SEGMENT_MEMBERSHIPS),
        handler=handler,
        outlet=lambda _runtime: PostgresOutlet(),
        background=lambda runtime: (
            Sweeper(runtime, catalogue),
            Repeated(
                MembersCounted(runtime, catalogue, changes[-1]).look,
                LOOK_SECONDS,
                "Members can't be counted now",
                "members.retry",
            ),
        ),
        stage="segment",
        session=_SESSION,
    )


def main() -> NoReturn:
    """Run the segmenter until a signal or an error."""
    run("segmenter", SegmenterSettings, service)
