"""A database of the version before keeps its customers, parked triggers and messages, and goes on from there."""

import shutil
from pathlib import Path

import psycopg

from shared.contracts.codec import encode
from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import History, history_of
from tests.integration.services.engagement.mail_server import MailServer
from tests.integration.services.engagement.world import World
from tests.unit.services.engagement.records import NOON, customer, person, record, redirect

ANNA, BEN = 1, 2


async def test_triggers_of_the_revision_before_follow_their_customers(
    world: World, server: MailServer, database_url: str, tmp_path: Path
) -> None:
    whole = history_of("engagement")
    (tmp_path / "versions").mkdir()
    shutil.copy(whole.folder / "versions" / "0001_contacts_and_messages.py", tmp_path / "versions")
    with psycopg.connect(database_url) as owner:
        owner.execute("DROP SCHEMA engagement CASCADE")
    migrate(database_url, History("engagement", tmp_path))
    with psycopg.connect(database_url, options="-c search_path=engagement") as old:
        old.execute("INSERT INTO customers VALUES (%s, 1, 3, %s)", (person(BEN), encode(record(BEN))))
        old.execute(
            "INSERT INTO triggers VALUES ('o-1', 'welcome-back', %s, 4, 2, NULL, %s)",
            (person(BEN), NOON),
        )
    migrate(database_url, whole)
    worker = await world.owner()
    await world.read(worker, redirect(BEN, ANNA, 5), customer(record(ANNA, memberships={BEN: 2}), 1))
    assert await world.states() == {"planned": 1}
    await worker.sender.round()
    assert [mail["To"] for mail in server.journal] == ["c1@example.com"]
    assert await world.ask("SELECT version, redirect_to FROM customers WHERE customer_id = %s", person(BEN)) == [
        (5, person(ANNA))
    ]
