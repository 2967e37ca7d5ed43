"""A database of the version before keeps its facts: what was a customer's is the identity's of that id."""

import shutil
from pathlib import Path

import psycopg
from psycopg import sql

from shared.runtime.migrations import migrate
from shared.runtime.schema_revision import History, history_of

ANNA = 1


def test_facts_of_the_revision_before_are_facts_of_the_identity_of_that_id(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute("DROP SCHEMA metrics CASCADE")
    whole = history_of("metrics")
    (tmp_path / "versions").mkdir()
    shutil.copy(whole.folder / "versions" / "0001_facts.py", tmp_path / "versions")
    migrate(database_url, History("metrics", tmp_path))
    with psycopg.connect(database_url, options="-c search_path=metrics") as old:
        old.execute(
            "INSERT INTO order_facts (customer_id, day, currency, orders, revenue)"
            " VALUES (%(who)s, '2026-03-05', 'EUR', 2, 19.5)",
            {"who": f"{ANNA:032x}"},
        )
        old.execute(
            "INSERT INTO first_orders (customer_id, first_day, second_day) VALUES (%s, '2026-03-05', '2026-03-05')",
            (f"{ANNA:032x}",),
        )
        old.execute("INSERT INTO activity_facts VALUES (%s, '2026-03-01', 2)", (f"{ANNA:032x}",))
    migrate(database_url, whole)
    with psycopg.connect(database_url, options="-c search_path=metrics") as new:
        for name in ("active_customers", "new_customers", "repeat_customers", "engaged_customers"):
            query = sql.SQL("SELECT month::text, customers FROM {}").format(sql.Identifier(f"kpi_{name}"))
            assert new.execute(query).fetchall() == [("2026-03-01", 1)], name
        assert new.execute("SELECT orders, revenue FROM order_facts").fetchall() == [(2, 19.5)]
