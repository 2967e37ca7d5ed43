"""`rapport engagement` on a real PostgreSQL: tables for people, one JSON document for programs, errors in words."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.engagement.cli import app
from tests.integration.services.engagement.mail_server import MailServer
from tests.integration.services.engagement.world import World
from tests.unit.services.engagement.records import SHIPPED, change, customer, person, record, redirect


def engagement(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "160"})


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")


async def send_two(world: World) -> None:
    owner = await world.owner()
    records = [customer(record()), customer(record(2, consent=None)), change(), change(2)]
    await world.read(owner, *records)
    await owner.sender.round()


async def test_messages_are_listed_by_state_and_campaign(world: World, server: MailServer) -> None:
    await send_two(world)
    (sent,) = json.loads(engagement("messages", "list", "--state", "accepted", "--json").stdout)["messages"]
    assert (sent["key"], sent["campaign"]) == (server.journal[0]["X-Rapport-Message"], "welcome-back")
    assert len(json.loads(engagement("messages", "list", "--json").stdout)["messages"]) == 2
    assert len(json.loads(engagement("messages", "list", "--limit", "1", "--json").stdout)["messages"]) == 1
    assert json.loads(engagement("messages", "list", "--campaign", "other", "--json").stdout)["messages"] == []
    table = engagement("messages", "list").stdout
    assert sent["key"] in table
    assert "no_consent" in table
    assert "@example.com" not in table


async def test_a_message_is_shown_with_its_steps(world: World, server: MailServer) -> None:
    await send_two(world)
    key = server.journal[0]["X-Rapport-Message"]
    shown = json.loads(engagement("messages", "show", key, "--json").stdout)
    assert (shown["state"], shown["reply"], shown["customer_id"]) == ("accepted", "250 2.0.0", person(1))
    assert [step["type"] for step in shown["steps"]] == ["message.planned.v1", "message.accepted.v1"]
    assert "message.accepted.v1" in engagement("messages", "show", key).stdout


async def test_a_preview_renders_for_a_customer_and_says_whether_it_would_be_sent(world: World) -> None:
    await send_two(world)
    yes = json.loads(engagement("campaigns", "preview", str(SHIPPED), "--customer", person(1), "--json").stdout)
    assert (yes["verdict"], yes["subject"]) == ("send", "Welcome back, dear customer")
    no = engagement("campaigns", "preview", str(SHIPPED), "--customer", person(2)).stdout
    assert "no_consent" in no
    assert "Subject: Welcome back, dear customer" in no
    assert await world.states() == {"accepted": 1, "no_consent": 1}


async def test_a_preview_for_somebody_who_was_merged_is_of_who_they_are_now(world: World) -> None:
    owner = await world.owner()
    await world.read(owner, customer(record(1, memberships={2: 2}, first_name="Anna"), 3), redirect(2, 1, 5))
    found = json.loads(engagement("campaigns", "preview", str(SHIPPED), "--customer", person(2), "--json").stdout)
    assert (found["verdict"], found["subject"]) == ("send", "Welcome back, Anna")


def test_a_question_about_nobody_or_nothing_is_answered_in_words() -> None:
    nobody = engagement("campaigns", "preview", str(SHIPPED), "--customer", person(9))
    nothing = engagement("messages", "show", "4b8e")
    assert (nobody.exit_code, nothing.exit_code) == (1, 1)
    assert "Engagement knows no customer" in nobody.stderr
    assert "There is no message '4b8e'" in nothing.stderr


async def test_a_preview_that_cannot_be_rendered_names_the_variable(world: World, tmp_path: Path) -> None:
    await send_two(world)
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(SHIPPED.read_bytes().replace(b"customer.orders.count", b"customer.orders.cuont"))
    found = engagement("campaigns", "preview", str(broken), "--customer", person(1))
    assert found.exit_code == 1
    assert "text: line 3: customer.orders.cuont is undefined" in found.stderr


def test_wrong_campaigns_end_with_2_and_a_line_each(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("name: x\nchannel: fax\n")
    for verb in ("validate", "preview"):
        extra = ("--customer", "x") if verb == "preview" else ()
        found = engagement("campaigns", verb, str(wrong), *extra)
        assert found.exit_code == 2
        assert f"{wrong}:2: /channel: expected email, got 'fax'" in found.stderr
    as_json = engagement("campaigns", "validate", str(wrong), str(SHIPPED), "--json")
    assert as_json.exit_code == 2
    told = json.loads(as_json.stdout)
    assert (told["valid"], told["campaigns"]) == (False, ["welcome-back"])
    # The same fields as `segments validate --json` gives, so that one program reads both.
    assert {"file": str(wrong), "line": 2, "path": "/channel", "expected": "email", "found": "'fax'"} in told["faults"]
    assert engagement("campaigns", "list", "--dir", str(tmp_path)).exit_code == 2


def test_right_campaigns_are_validated_and_listed() -> None:
    assert engagement("campaigns", "validate", str(SHIPPED)).exit_code == 0
    as_json = engagement("campaigns", "validate", str(SHIPPED), "--json")
    assert json.loads(as_json.stdout) == {"valid": True, "campaigns": ["welcome-back"]}
    (listed,) = json.loads(engagement("campaigns", "list", "--dir", str(SHIPPED.parent), "--json").stdout)["campaigns"]
    assert (listed["name"], listed["segment"], listed["purpose"]) == ("welcome-back", "two-or-more", "marketing")
    assert "is no folder" in engagement("campaigns", "list", "--dir", str(SHIPPED)).stderr
