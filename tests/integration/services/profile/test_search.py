"""Search on a real PostgreSQL: whoever is known by a text is found once, under the present id, page by page."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, Connection

from services.profile.adapters import search_terms
from services.profile.answering import Matches, search
from services.profile.cursors import hit
from shared.contracts.identities import identity_id
from shared.runtime.schema_revision import history_of
from tests.integration.services.profile.test_postgres_customers import commit, new_handler
from tests.property.services.profile.strategies import SECRET, interaction, record

VIEWED: tuple[str, str, Any] = ("Product Viewed", "browse", {})
Identities = Sequence[tuple[str, str]]


@pytest.fixture
def reading(database_url: str) -> Iterator[Connection]:
    options = "-c search_path=profile -c timezone=UTC -c enable_seqscan=off"
    with psycopg.connect(database_url, autocommit=True, options=options) as opened:
        yield opened


def user(number: int | str) -> str:
    return identity_id(SECRET, "user_id", f"u-{number}")


def called(number: int, **traits: Any) -> Any:
    return record(interaction(f"called-{number}", ("Identify", "identify", {"traits": traits}), [user_ref(number)]))


def user_ref(number: int) -> tuple[str, str]:
    return "user_id", f"u-{number}"


def viewed(name: str, *identities: tuple[str, str]) -> Any:
    return record(interaction(name, VIEWED, identities))


def drawn(reading: Connection) -> None:
    """Take in all that is due."""
    while search_terms.draw(reading):
        pass


def found(reading: Connection, text: str, most: int = 100) -> list[str]:
    return [one.customer_id for one in search(reading, text, most).customers]


@pytest.fixture
async def _people(connection: AsyncConnection, reading: Connection) -> None:
    said = [
        called(1, first_name="Jörg", last_name="Müller"),
        called(2, first_name="Eva", last_name="Muster"),
        called(3, name="Evi Mustermann"),
        called(4, name="100% Discount_Shop"),
        viewed("v-1", user_ref(1), ("email", "joerg@example.com"), ("phone", "+436641234567")),
        viewed("v-2", user_ref(2), ("email", "eva@example.com")),
    ]
    await commit(new_handler(), connection, said)
    drawn(reading)


CASES: dict[str, list[int]] = {
    "eva muster": [2],
    "EVA": [2],
    "muster": [2, 3],
    "musterm": [3],
    "mustre": [2],
    "mueller": [1],
    "joerg m": [1],
    "jorg mü": [1],
    "muller": [1],
    "Müllr": [1],
    "joerg@": [1],
    "eva@example.com": [2],
    "+43 664 1234567": [1],
    "0664 123": [1],
    "u-3": [3],
    "100%": [4],
    "%": [],
    "_": [],
    "\\": [],
    "e": [2, 3],
    "nobody at all": [],
    " \0 ": [],
    "' OR 1=1 --": [],
}
"""What is typed, with the people who must be found first; nobody at all where the list is empty."""


@pytest.mark.usefixtures("_people")
def test_somebody_is_found_by_what_people_know(reading: Connection) -> None:
    wrong = {}
    for text, numbers in CASES.items():
        all_found = found(reading, text)
        first = set(all_found[: len(numbers)]) if numbers else set(all_found)
        if first != {user(number) for number in numbers} or len(set(all_found)) != len(all_found):
            wrong[text] = all_found
    assert wrong == {}


@pytest.mark.usefixtures("_people")
def test_a_match_says_who_it_is(reading: Connection) -> None:
    (match,) = search(reading, "eva@", 10).customers
    assert (match.customer_id, match.name, list(match.addresses)) == (user(2), "Eva Muster", ["eva@example.com"])
    assert (match.matched, match.lifecycle.value) == ("eva@example.com", "lead")


@pytest.mark.usefixtures("_people")
async def test_a_merge_and_its_undoing_show_at_once(connection: AsyncConnection, reading: Connection) -> None:
    await commit(new_handler(), connection, [viewed("v-3", ("email", "lone@example.com"))])
    drawn(reading)
    lone = identity_id(SECRET, "email", "lone@example.com")
    assert found(reading, "lone@") == [lone]
    await commit(new_handler(), connection, [viewed("v-4", ("email", "lone@example.com"), user_ref(2))])
    assert found(reading, "lone@") == [user(2)]
    assert found(reading, "e", 100).count(user(2)) == 1
    await connection.execute("UPDATE identities SET root = NULL WHERE id = %s", (lone,))
    await connection.commit()
    assert found(reading, "lone@") == [lone]


@pytest.mark.usefixtures("_people")
async def test_whoever_is_called_otherwise_is_found_by_the_new_name_alone(
    connection: AsyncConnection, reading: Connection
) -> None:
    said = ("Identify", "identify", {"traits": {"last_name": "Novak"}})
    await commit(new_handler(), connection, [record(interaction("m-later", said, [user_ref(2)]))])
    waiting = search(reading, "novak", 10)
    assert (waiting.customers, waiting.waiting) == ([], 1)
    drawn(reading)
    assert found(reading, "eva novak") == [user(2)]
    assert search(reading, "novak", 10).waiting == 0
    assert user(2) not in found(reading, "muster")


@pytest.mark.usefixtures("_people")
async def test_an_identity_that_is_gone_is_found_no_more(connection: AsyncConnection, reading: Connection) -> None:
    await connection.execute("DELETE FROM identities WHERE id = %s", (user(4),))
    await connection.commit()
    assert found(reading, "100%") == []
    await search_terms.note(connection, [bytes.fromhex(user(4))])
    await connection.commit()
    drawn(reading)
    assert reading.execute("SELECT count(*) FROM search_terms WHERE identity_id = %s", (user(4),)).fetchone() == (0,)


async def test_pages_hold_each_customer_once_and_miss_none(connection: AsyncConnection, reading: Connection) -> None:
    chance = random.Random(5)  # noqa: S311 - a seeded feed, not a secret
    said = [
        called(n, name=f"Anna {chance.choice('abc')}", first_name="Anna", last_name=f"Anders{n}") for n in range(30)
    ]
    said += [viewed(f"v-{n}", user_ref(n), ("email", f"anna{n % 20}@example.com")) for n in range(30)]
    await commit(new_handler(), connection, said)
    drawn(reading)
    together: list[str] = []
    page: Matches = search(reading, "an", 7)
    while True:
        assert len(page.customers) <= 7
        together += [one.customer_id for one in page.customers]
        if page.next is None:
            break
        page = search(reading, "an", 7, hit(page.next))
    assert sorted(together) == sorted({*together})
    assert set(together) >= {user(n) for n in range(30)}
    assert together[:50] == found(reading, "an", 50)[:50]


@pytest.mark.usefixtures("_people")
def test_similar_ones_come_on_later_pages_than_those_that_begin_so(reading: Connection) -> None:
    first = search(reading, "musterma", 1)
    assert [one.matched for one in first.customers] == ["mustermann evi"]
    assert first.next is not None
    then = search(reading, "musterma", 5, hit(first.next))
    assert [one.customer_id for one in then.customers] == [user(2)]
    assert then.next is None


def test_one_draws_at_a_time(database_url: str, reading: Connection) -> None:
    reading.execute("INSERT INTO search_due (identity_id) VALUES (gen_random_uuid())")
    with psycopg.connect(database_url, options="-c search_path=profile") as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (search_terms.LOCK,))
        assert search_terms.draw(reading) == 0
    assert search_terms.draw(reading) == 1


async def test_whoever_folds_waits_for_nobody_who_draws(connection: AsyncConnection, database_url: str) -> None:
    await commit(new_handler(), connection, [called(1, name="Eva")])
    with psycopg.connect(database_url, options="-c search_path=profile") as drawing:
        assert search_terms.draw(drawing)
        await connection.execute("SET lock_timeout = '100ms'")
        await commit(new_handler(), connection, [called(2, name="Evi"), called(1, last_name="Muster")])


def test_a_database_without_the_extension_is_told_in_words(database_url: str) -> None:
    folder = history_of("profile").folder / "versions"
    text = _constant((folder / "0004_reading.py").read_text("utf-8"), "EXTENSION")
    with psycopg.connect(database_url, autocommit=True) as admin:
        with pytest.raises(psycopg.errors.RaiseException, match="does not have: install its package"):
            admin.execute(text.format(name="pg_nowhere"))
        admin.execute("DROP EXTENSION pg_trgm CASCADE")
        admin.execute("CREATE ROLE reading_nobody_test NOLOGIN")
        try:
            admin.execute("SET ROLE reading_nobody_test")
            with pytest.raises(psycopg.errors.RaiseException, match="which this role may not create"):
                admin.execute(text.format(name="pg_trgm"))
        finally:
            admin.execute("RESET ROLE")
            admin.execute("DROP ROLE reading_nobody_test")


def _constant(source: str, name: str) -> str:
    scope: dict[str, Any] = {}
    start = source.index(f"{name} = ")
    exec(source[start : source.index('"""', source.index('"""', start) + 3) + 3], scope)  # noqa: S102 - our own file
    text: str = scope[name]
    return text
