"""What was refused before causes were kept has the cause that it would be given today."""

import shutil
from pathlib import Path

import psycopg
from psycopg import AsyncConnection

from services.ingest.domain.causes import cause_of
from services.ingest.domain.problems import Problem, Reason, Stage
from services.ingest.quarantine.looking import summary
from shared.local.stack import StackAddresses
from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import History, history_of
from tests.databases import fresh_database
from tests.integration.services.ingest.operating import operator

_ADD = """
    INSERT INTO ingest.quarantine (topic, lane, record_offset, event_index, appended_at, source, stage, reason, path,
        expected, found, headers, received_at, quarantined_at)
    VALUES ('t', 0, %s, 0, now(), %s, %s, %s, %s, %s, %s, '\\x90', now(), now() - interval '1 hour')
"""
PROBLEMS = [
    ("shop", Problem(Stage.PAYLOAD, Reason.WRONG_TYPE, "/properties/products/0/1/price", "a number", "string")),
    ("shop", Problem(Stage.PAYLOAD, Reason.WRONG_TYPE, "/properties/products/17/2/price", "a number", "string")),
    ("käse", Problem(Stage.LIMITS, Reason.TOO_LARGE, "", "at most 32768 bytes an event", "40001 bytes")),
    ("", Problem(Stage.ENVELOPE, Reason.MISSING, "/a1/2b/3", "a non-empty string", "nothing")),
]


def before_causes(folder: Path) -> History:
    """Copy the history as it was before."""
    versions = history_of("ingest").folder / "versions"
    (folder / "versions").mkdir()
    for revision in ("0001_quarantine.py", "0002_sources.py"):
        shutil.copy(versions / revision, folder / "versions")
    return History("ingest", folder)


def test_old_refusals_are_grouped_as_new_ones(stack: StackAddresses, tmp_path: Path) -> None:
    with fresh_database(stack, before_causes(tmp_path)) as address:
        with psycopg.connect(address) as connection:
            for offset, (source, problem) in enumerate(PROBLEMS):
                said = (problem.stage.value, problem.reason.value, problem.path, problem.expected, problem.found)
                connection.execute(_ADD, (offset, source, *said))
        migrate(address, history_of("ingest"))
        with operator(address) as connection:
            rows = connection.execute("SELECT cause, state, refused_at = quarantined_at FROM quarantine ORDER BY id")
            assert rows.fetchall() == [(cause_of(source, problem, None), "open", True) for source, problem in PROBLEMS]
            assert [cause["events"] for cause in summary(connection)] == [2, 1, 1]


async def test_every_stage_can_be_kept(connection: AsyncConnection) -> None:
    for number, stage in enumerate(Stage):
        await connection.execute(
            "INSERT INTO quarantine (topic, lane, record_offset, event_index, appended_at, source, stage, reason,"
            " path, expected, found, headers, received_at, quarantined_at, refused_at, cause)"
            " VALUES ('t', 0, %s, 0, now(), 's', %s, 'r', '', '', '', '', now(), now(), now(), 'c')",
            (number, stage.value),
        )
    kept = await (await connection.execute("SELECT stage FROM quarantine ORDER BY id")).fetchall()
    assert [stage for (stage,) in kept] == list(Stage)
