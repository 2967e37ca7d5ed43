"""Merged and unmerged equals never merged: what all five services, as real processes, say of two people."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from shared.contracts.envelope import header, version_of
from shared.contracts.topics import CUSTOMERS
from tests.e2e.annas_story import ADDRESS, ANNA, BERT, BROWSER, PHONE, quiet, tell
from tests.e2e.rapport import Rapport, running

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Seen:
    """What the commands say, the messages that were planned, and what a reader of customers from nothing has."""

    shown: dict[str, Any]
    members: Any
    kpis: dict[str, Any]
    messages: int
    mails: int
    topic: dict[str, Any]


@dataclass(frozen=True)
class Lived:
    """The same before the merge, while it held, and after it was taken back."""

    before: Seen
    merged: Seen
    after: Seen


@pytest.fixture(scope="module")
def rapport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rapport]:
    with running(tmp_path_factory.mktemp("merged")) as started:
        yield started


@pytest.fixture(scope="module")
def lived(rapport: Rapport) -> Lived:
    asyncio.run(tell(rapport))
    before = seen(rapport)
    rapport.ask("customers", "merge", ANNA, BERT, "--why", "the same passport", "--yes")
    merged = seen(rapport)
    rapport.ask("customers", "unmerge", ANNA, BERT, "--why", "two passports", "--yes")
    return Lived(before, merged, seen(rapport))


def seen(rapport: Rapport) -> Seen:
    asyncio.run(quiet(rapport))
    names = [one["name"] for one in rapport.ask("kpi", "list")["kpis"]]
    return Seen(
        {who: shown(rapport, who) for who in (ANNA, BERT)},
        [unversioned(member) for member in rapport.ask("segments", "members", "repeat-buyer")],
        {name: rapport.ask("kpi", "show", name) for name in names},
        len(rapport.rows("SELECT 1 FROM engagement.messages")),
        len(rapport.rows("SELECT 1 FROM engagement.messages WHERE state = 'accepted'")),
        asyncio.run(read_anew(rapport)),
    )


def shown(rapport: Rapport, who: str) -> dict[str, Any]:
    """Show somebody without what a decision may move: version and audit."""
    document: dict[str, Any] = rapport.ask("customers", "show", who)
    assert {"version", "audit"} <= document.keys()
    return unversioned(document)


def unversioned(document: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in document.items() if name not in ("version", "audit")}


async def read_anew(rapport: Rapport) -> dict[str, Any]:
    """Read the topic of customers as somebody does who has nothing yet: the greatest version of each key."""
    last: dict[str, tuple[tuple[int, int], Any]] = {}
    for record in await rapport.records(CUSTOMERS):
        key, order = str(header(record.headers, "ce_subject")), version_of(record.headers)
        assert order is not None
        version = order.incarnation, order.number
        if key not in last or version > last[key][0]:
            last[key] = version, None if record.value is None else msgspec.json.decode(record.value)
    return {key: value for key, (_, value) in last.items()}


def customer(seen: Seen, who: str) -> dict[str, Any]:
    found: dict[str, Any] = seen.shown[who]["customer"]
    return found


def test_phone_web_and_shop_are_one_customer(lived: Lived) -> None:
    anna = customer(lived.before, ANNA)
    assert {one["value"] for one in anna["identities"]} >= {"anna", ADDRESS, PHONE, BROWSER}
    assert anna["orders"]["count"] == 2
    assert anna["traits"]["city"]["value"] == "Graz"
    assert customer(lived.before, BERT)["orders"]["count"] == 1


def test_while_they_are_merged_both_are_one_customer_everywhere(lived: Lived) -> None:
    anna, bert = (customer(lived.merged, who) for who in (ANNA, BERT))
    assert anna == bert
    assert anna["orders"]["count"] == 3
    names = {customer(lived.before, who)["customer_id"] for who in (ANNA, BERT)}
    (left,) = names - {anna["customer_id"]}
    assert lived.merged.topic[left]["redirect_to"] == anna["customer_id"]
    assert [one["customer_id"] for one in lived.merged.members] == [anna["customer_id"]]


def test_nobody_is_mailed_twice_because_of_a_merge(lived: Lived) -> None:
    assert [(seen.messages, seen.mails) for seen in (lived.before, lived.merged, lived.after)] == [(1, 1)] * 3


@pytest.mark.parametrize("who", [ANNA, BERT])
def test_after_the_unmerge_a_customer_is_shown_as_before(lived: Lived, who: str) -> None:
    assert lived.after.shown[who] == lived.before.shown[who]


def test_after_the_unmerge_segments_have_the_members_of_before_since_when_they_were(lived: Lived) -> None:
    assert lived.before.members
    assert lived.after.members == lived.before.members


def test_after_the_unmerge_every_kpi_is_as_before(lived: Lived) -> None:
    assert lived.before.kpis
    assert lived.after.kpis == lived.before.kpis


@pytest.mark.parametrize("moment", ["before", "merged", "after"])
def test_who_reads_customers_from_nothing_has_what_is_shown(lived: Lived, moment: str) -> None:
    seen: Seen = getattr(lived, moment)
    for who in (ANNA, BERT):
        found = customer(seen, who)
        read = dict(seen.topic[found["customer_id"]])
        read.pop("memberships", None)
        assert read == found


def test_both_decisions_are_kept_with_who_when_and_why(lived: Lived, rapport: Rapport) -> None:
    assert lived.after.shown
    kept = rapport.ask("customers", "decisions", ANNA)
    assert {one["why"] for one in kept} == {"the same passport", "two passports"}
    assert all(one["who"] and one["decided_at"] for one in kept)
