"""`rapport ingest sources` on a real PostgreSQL: what an operator types, sees, and is told when it is wrong."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner, Result

from services.ingest.adapters.postgres_sources import read_sources
from services.ingest.cli import app
from services.ingest.domain.keys import hash_of
from services.ingest.domain.reading import Reader
from services.ingest.domain.sources import Source, Strictness
from tests.integration.services.ingest.feeding import feed
from tests.integration.services.ingest.sources import changing
from tests.unit.services.ingest.records import READER, raw, track

WRONG = [
    (("add", "web-shop"), 1, "There is a source web-shop already: `rapport ingest sources rotate web-shop`"),
    (("add", "web shop"), 2, "'web shop' can't be the name of a source: expected 1 to 100 letters"),
    (("add", "unknown"), 2, "can't be the name"),
    (("add", "new", "--kind", "toaster"), 2, "Invalid value for '--kind'"),
    (("add", "new", "--rate", "-1"), 2, "Invalid value for '--rate'"),
    (("add", "new", "--burst", "5"), 2, "--burst: expected --rate beside it"),
    (("add", "new", "--region", "XX"), 2, "--region: expected a country of ISO 3166 such as DE, got 'XX'."),
    (("add", "new", "--zone", "Europe/Berlinn"), 2, "got 'Europe/Berlinn'. Did you mean Europe/Berlin?"),
    (("show", "web-shp"), 1, "There is no source 'web-shp'. Did you mean web-shop?"),
    (("show", "zzz"), 1, "There is no source 'zzz'. `rapport ingest sources list`"),
    (("set", "web-shp", "--strict"), 1, "Did you mean web-shop?"),
    (("set", "web-shop"), 2, "Nothing to change"),
    (("set", "web-shop", "--burst", "5"), 2, "--burst: expected --rate beside it"),
    (("rotate", "web-shp"), 1, "Did you mean web-shop?"),
    (("rotate", "web-shop", "--grace", "soon"), 2, "--grace: expected a number and s, m, h or d"),
    (("rotate", "web-shop", "--grace", "1"), 2, "--grace: expected a number and s, m, h or d"),
    (("rotate", "web-shop", "--grace", "366d"), 2, "--grace: expected at most 365d"),
    (("revoke", "aaaaaaaa"), 1, "There is no key 'aaaaaaaa'."),
    (("revoke", "\x1b[2J"), 1, "There is no key '\\x1b[2J'."),
    (("pause", "web-shp"), 1, "Did you mean web-shop?"),
    (("resume", "web-shp"), 1, "Did you mean web-shop?"),
]


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["sources", *arguments], catch_exceptions=False, env={"COLUMNS": "220"})


def said(*arguments: str) -> str:
    done = typed(*arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def told(*arguments: str) -> Any:
    return json.loads(said(*arguments, "--json"))


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)


def known(database_url: str, name: str = "web-shop") -> Source:
    with changing(database_url) as connection:
        return read_sources(connection).sources[name]


def good_keys(database_url: str) -> set[bytes]:
    with changing(database_url) as connection:
        return {key.hash for key in read_sources(connection).keys.values()}


def test_a_source_is_added_and_its_key_is_shown_once(database_url: str) -> None:
    shown = said("add", "web-shop", "--kind", "web", "--strict", "--rate", "500", "--burst", "900", "--region", "de")
    (key,) = re.findall(r"^  (rk_\S+)$", shown, re.MULTILINE)
    assert good_keys(database_url) == {hash_of(key)}
    assert known(database_url) == Source("web-shop", "web", Strictness.STRICT, "DE", None, 500, 900)
    for later in (said("list"), said("show", "web-shop"), said("list", "--json"), said("show", "web-shop", "--json")):
        assert key not in later
        assert key.rpartition("_")[2] not in later


def test_what_is_not_said_of_a_source_is_open(database_url: str) -> None:
    added = told("add", "web-shop", "--zone", "Europe/Berlin")
    assert set(added) == {"name", "key_id", "key"}
    assert good_keys(database_url) == {hash_of(added["key"])}
    assert known(database_url) == Source("web-shop", "server", zone="Europe/Berlin")


def test_the_list_shows_state_keys_and_last_use(database_url: str) -> None:
    key = told("add", "web-shop", "--kind", "web")["key_id"]
    told("add", "billing", "--rate", "5")
    told("pause", "billing")
    with changing(database_url) as connection:
        connection.execute("UPDATE source_keys SET last_used_at = '2026-11-22T10:00:00Z' WHERE id = %s", (key,))
    billing, shop = told("list")
    assert (billing["name"], billing["paused_reason"], billing["last_used_at"]) == ("billing", "operator", None)
    assert (shop["active_keys"], shop["last_used_at"][:19], shop["paused_at"]) == (1, "2026-11-22T10:00:00", None)
    table = said("list")
    for words in ("web-shop", "active", "paused by an operator", "2026-11-22T10:00:00+00:00"):
        assert words in table
    (shown,) = told("show", "web-shop")["keys"]
    assert (shown["id"], shown["active"], shown["last_used_at"][:19]) == (key, True, "2026-11-22T10:00:00")
    assert "2026-11-22T10:00:00+00:00" in said("show", "web-shop")


def test_what_is_set_is_changed_and_the_rest_stays(database_url: str) -> None:
    told("add", "web-shop", "--rate", "5", "--burst", "9", "--region", "DE")
    told("set", "web-shop", "--strict", "--zone", "Europe/Paris", "--kind", "mobile")
    assert known(database_url) == Source("web-shop", "mobile", Strictness.STRICT, "DE", "Europe/Paris", 5, 9)
    told("set", "web-shop", "--open", "--burst", "0", "--region", "none", "--zone", "none")
    assert known(database_url) == Source("web-shop", "mobile", Strictness.OPEN, None, None, 5, None)
    told("set", "web-shop", "--burst", "7")
    assert "rate none" in said("set", "web-shop", "--rate", "0")
    assert known(database_url) == Source("web-shop", "mobile")


def test_rotating_says_when_the_old_key_ends(database_url: str) -> None:
    old = told("add", "web-shop")
    shown = said("rotate", "web-shop")
    (new,) = re.findall(r"^  (rk_\S+)$", shown, re.MULTILINE)
    (ends,) = re.findall(rf"^{old['key_id']} stays good until (\S+)\. ", shown, re.MULTILINE)
    assert abs(datetime.fromisoformat(ends) - datetime.now(UTC) - timedelta(hours=24)) < timedelta(minutes=1)
    assert good_keys(database_url) == {hash_of(old["key"]), hash_of(new)}
    refused = typed("rotate", "web-shop")
    assert refused.exit_code == 1
    assert "web-shop has 2 good keys already" in refused.stderr
    assert f"{old['key_id']}, good until {ends}" in refused.stderr
    assert len(good_keys(database_url)) == 2


def test_a_grace_of_nothing_ends_the_old_key_at_once(database_url: str) -> None:
    told("add", "web-shop")
    new = told("rotate", "web-shop", "--grace", "0s")
    assert good_keys(database_url) == {hash_of(new["key"])}
    again = told("rotate", "web-shop", "--grace", "7d")
    assert (again["ending"], again["ends_at"] is not None) == ([new["key_id"]], True)


def test_a_revoked_key_is_good_no_more(database_url: str) -> None:
    old = told("add", "web-shop")
    new = told("rotate", "web-shop")
    assert "is revoked" in said("revoke", old["key"])  # somebody may have only its text
    assert good_keys(database_url) == {hash_of(new["key"])}
    assert "was revoked already" in said("revoke", old["key_id"])
    shown = said("revoke", new["key_id"])
    assert "no good key left: rapport ingest sources rotate web-shop" in shown
    third = told("rotate", "web-shop")
    assert (third["ending"], third["ends_at"]) == ([], None)
    assert good_keys(database_url) == {hash_of(third["key"])}


async def test_resuming_says_what_is_held_and_how_it_goes_on(connection: AsyncConnection, database_url: str) -> None:
    told("add", "web-shop")
    assert "is paused" in said("pause", "web-shop")
    assert "was paused already" in said("pause", "web-shop")
    sent = [raw(track(name), [("source", b"web-shop")], offset=n) for n, name in enumerate(("A", "A", "B"))]
    await feed(connection, sent, reader=Reader(READER.identities, lambda _name: known(database_url)))
    assert told("show", "web-shop")["held"] == 3
    shown = said("resume", "web-shop")
    assert "web-shop is resumed." in shown
    assert "3 events" in shown
    groups = re.findall(r"rapport ingest quarantine replay --group ([0-9a-f]{12})", shown)
    assert not known(database_url).paused
    again = told("resume", "web-shop")
    assert (again["held"], list(again["groups"]), again["was_paused_at"]) == (3, groups, None)
    assert "was not paused" in said("resume", "web-shop")


def test_a_wrong_word_is_answered_in_words_and_changes_nothing() -> None:
    told("add", "web-shop")
    before = told("show", "web-shop")
    for arguments, code, words in WRONG:
        found = typed(*arguments)
        assert (found.exit_code, words in " ".join(found.stderr.split())) == (code, True), (arguments, found.stderr)
        assert "Traceback" not in found.stderr
        assert "\x1b" not in found.stderr
    assert told("show", "web-shop") == before
    assert [source["name"] for source in told("list")] == ["web-shop"]


def test_each_change_is_audited_once_and_a_question_is_not(database_url: str) -> None:
    first = told("add", "web-shop")["key_id"]
    second = told("rotate", "web-shop")["key_id"]
    told("set", "web-shop", "--rate", "5")
    for _ in range(2):
        told("revoke", first)
    for _ in range(2):
        told("pause", "web-shop")
    for _ in range(2):
        told("resume", "web-shop")
    told("list")
    told("show", "web-shop")
    typed("add", "web-shop")
    typed("set", "elsewhere", "--strict")
    with changing(database_url) as connection:
        rows = connection.execute("SELECT action, subject, detail, actor FROM audit ORDER BY id").fetchall()
    assert [row[:3] for row in rows] == [
        ("source.add", "web-shop", {"key_id": first}),
        ("source.rotate", "web-shop", {"key_id": second}),
        ("source.set", "web-shop", {"rate": 5}),
        ("source.revoke", first, {"source": "web-shop"}),
        ("source.pause", "web-shop", {}),
        ("source.resume", "web-shop", {"was_paused_by": "operator"}),
    ]
    assert all(who.startswith("cli") for *_, who in rows)


def test_help_shows_examples() -> None:
    for command in ("add", "list", "show", "set", "rotate", "revoke", "pause", "resume"):
        assert f"rapport ingest sources {command}" in " ".join(said(command, "--help").split())
