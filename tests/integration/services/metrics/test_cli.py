"""`rapport kpi` on a real PostgreSQL: tables for people, one JSON document for programs, errors in words."""

import json

import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner, Result

from services.metrics.cli import app
from services.metrics.domain.kpis import KPIS
from tests.integration.services.metrics.test_kpis import feed
from tests.unit.services.metrics.records import NOON, order


def kpi(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", database_url)
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")


@pytest.mark.usefixtures("_here")
async def test_a_kpi_is_shown_exact_by_month_between_bounds(connection: AsyncConnection) -> None:
    records = [order(1, NOON.replace(month=month), "33.10") for month in (1, 2, 2, 3)]
    await feed(connection, [records])
    found = kpi("show", "monthly_revenue", "--from", "2026-01", "--to", "2026-02", "--json")
    assert found.exit_code == 0
    assert json.loads(found.stdout)["rows"] == [
        {"month": "2026-01", "currency": "EUR", "revenue": "33.10"},
        {"month": "2026-02", "currency": "EUR", "revenue": "66.20"},
    ]
    table = kpi("show", "monthly_revenue").stdout
    assert [cell in table for cell in ("2026-03", "33.10", "66.20")] == [True] * 3


@pytest.mark.usefixtures("_here")
async def test_people_see_money_with_two_decimals_and_programs_see_it_exact(connection: AsyncConnection) -> None:
    await feed(connection, [[order(1, NOON, "139.5")]])
    assert "139.50 " in kpi("show", "monthly_revenue").stdout
    assert json.loads(kpi("show", "monthly_revenue", "--json").stdout)["rows"][0]["revenue"] == "139.5"
    assert "1.00" not in kpi("show", "monthly_orders").stdout


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("name", [each.name for each in KPIS])
def test_every_kpi_can_be_shown_when_there_is_nothing(name: str) -> None:
    found = kpi("show", name, "--json")
    assert found.exit_code == 0
    assert json.loads(found.stdout)["rows"] == []


def test_the_list_says_what_each_kpi_means() -> None:
    listed = json.loads(kpi("list", "--json").stdout)["kpis"]
    assert [(each["name"], each["meaning"]) for each in listed] == [(each.name, each.help) for each in KPIS]
    assert "monthly_revenue" in kpi("list").stdout


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "profit"), "There is no KPI 'profit'. Choose one of: monthly_revenue,"),
        (("show", "monthly_orders", "--from", "2026-13"), "--from: expected a month such as 2026-01, got '2026-13'."),
        (("show", "monthly_orders", "--to", "soon"), "--to: expected a month such as 2026-01, got 'soon'."),
        (("show", "monthly_orders", "--from", "2026-02", "--to", "2026-01"), "--from 2026-02 is after --to 2026-01."),
        (("show", "mails_by_state", "--from", "2026-02"), "leave out --from and --to"),
    ],
)
def test_a_wrong_question_is_answered_in_words_with_code_2(arguments: tuple[str, ...], words: str) -> None:
    found = kpi(*arguments)
    assert found.exit_code == 2
    assert words in found.stderr
    assert found.stdout == ""


def test_a_database_that_is_not_there_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_DATABASE_URL", "postgresql://nobody:nothing@127.0.0.1:9/none")
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
    found = kpi("show", "monthly_orders", "--json")
    assert found.exit_code == 1
    assert "Start it with `rapport up`" in found.stderr
    assert "nothing@" not in found.stderr
