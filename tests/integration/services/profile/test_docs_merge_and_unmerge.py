"""The page on merging and parting customers is true: its commands, given one after the other, do what it says."""

import json
import re
import shlex
from datetime import timedelta

import pytest
from psycopg import AsyncConnection

from tests.architecture.repository import ROOT
from tests.integration.services.profile.test_deciding import ORDER, Ask, ask, clock, shown, worker
from tests.integration.services.profile.test_postgres_customers import commit
from tests.property.services.profile.strategies import START, interaction, record

__all__ = ["ask", "clock"]

PAGE = ROOT / "docs" / "how-to" / "merge-and-unmerge.md"
SHELL = re.compile(r"^```sh\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
U17, U18 = ("user_id", "u-17"), ("user_id", "u-18")
PEOPLE = [
    (U17, ("email", "office@example.com")),
    (U17, ("anonymous_id", "an-4")),
    (U18, ("email", "till@example.com")),
]


@pytest.mark.usefixtures("clock")
async def test_the_pages_commands_merge_and_part_as_it_says(ask: Ask, connection: AsyncConnection) -> None:
    events = [
        interaction(f"p-{number}", ORDER, who, occurred_at=START + timedelta(minutes=number))
        for number, who in enumerate(PEOPLE)
    ]
    await commit(worker(), connection, [record(one) for one in events])
    before = {who: (await shown(ask, who))["customer"] for who in ("user_id:u-17", "user_id:u-18")}
    seen = []
    for line in "".join(SHELL.findall(PAGE.read_text("utf-8"))).splitlines():
        made = json.loads((await ask("decisions", "--json")).stdout)
        merges = [one["id"].replace("-", "") for one in made if one["kind"] == "merge"]
        if "--decision" in line:
            # The page's merge was taken back further up: here is another.
            again = await ask("merge", "user_id:u-17", "user_id:u-18", "--yes", "--json")
            merges = [json.loads(again.stdout)["id"]]
        given = await ask(*shlex.split(line.replace('"$MERGE"', "".join(merges[:1])))[2:])
        assert given.exit_code == 0, (line, given.output)
        customers = {who: (await shown(ask, who))["customer"] for who in before}
        seen.append(
            (shlex.split(line)[2], customers == before, len({one["customer_id"] for one in customers.values()}))
        )
    assert seen == [
        ("explain", True, 2),
        ("merge", True, 2),
        ("merge", False, 1),
        ("unmerge", True, 2),
        ("unmerge", False, 2),
        ("split", False, 2),
        ("block", False, 2),
        ("unblock", False, 2),
        ("decisions", False, 2),
        ("decisions", False, 2),
        ("unmerge", False, 2),
    ]
    assert (await shown(ask, "user_id:u-18"))["customer"] == before["user_id:u-18"]
    alone = (await shown(ask, "user_id:u-17"))["customer"]["identities"]
    assert [one["value"] for one in alone] == ["u-17"]
