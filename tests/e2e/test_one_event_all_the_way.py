"""The worked example through real processes of all five services: what each of them makes of one order, once."""

import asyncio
import mailbox
import urllib.request
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from email.message import Message

import psycopg
import pytest
from psycopg import sql

from shared.contracts.codec import canonical, decode
from shared.contracts.customers import CustomerRecord
from shared.contracts.envelope import header, sequence_of, version_of
from shared.contracts.interactions import Interaction
from shared.contracts.outreach import OutreachEvent
from shared.contracts.segments import ClockCause, EventCause, SegmentMembership
from shared.contracts.topics import (
    CUSTOMERS,
    INTERACTIONS,
    OUTREACH,
    RAW_EVENTS_DLQ,
    REGISTRY,
    SEGMENT_MEMBERSHIPS,
    Kind,
)
from shared.local.platform import SERVICES, as_role
from shared.local.secrets_file import SecretsFile
from shared.runtime.roles import role_of
from tests.e2e.evas_story import ADDRESS, CANARY, COOKIE, FIRST_NAME, USER, WINDOW, Told, tell
from tests.e2e.rapport import Rapport

pytestmark = pytest.mark.timeout(400)

LATE = timedelta(seconds=10)
"""Later than that the clock is broken, even on a machine with much else to do; `make demo` measures the second."""


@pytest.fixture(scope="module")
def told(rapport: Rapport) -> Told:
    """Tell Eva's story once; each test looks at one page of what came of it."""
    return asyncio.run(tell(rapport))


def test_the_repeated_call_is_read_again_and_changes_nothing(told: Told, rapport: Rapport) -> None:
    ids = [decode(Interaction, record.value or b"").message_id for record in told.records[INTERACTIONS.name]]
    assert ids.count("order-2") == 2
    assert [activity.message_id for activity in told.activities].count("order-2") == 1
    assert rapport.rows("SELECT sum(duplicate), sum(dead), sum(conflict) FROM profile.positions") == [(1, 0, 0)]


def test_the_record_says_all_that_is_known_of_eva(told: Told, rapport: Rapport) -> None:
    last = told.of(CUSTOMERS)[-1]
    record = decode(CustomerRecord, last.value or b"")
    known = [("user_id", USER), ("email", ADDRESS), ("anonymous_id", COOKIE)]
    assert [(one.kind, one.value) for one in record.identities] == known
    assert {name: trait.value for name, trait in record.traits.items()} == {"email": ADDRESS, "first_name": FIRST_NAME}
    assert record.orders is not None
    assert (record.orders.count, [(m.amount, m.currency) for m in record.orders.revenue]) == (2, [("95.00", "EUR")])
    assert record.orders.first_at == told.first_order_at
    assert record.consent["marketing/email"].state == "given"
    assert record.lifecycle == "customer"
    shown = rapport.ask("customers", "show", f"user_id:{USER}")
    assert canonical(decode(CustomerRecord, canonical(shown["customer"]))) == canonical(record)
    version = version_of(last.headers)
    assert version is not None
    assert version.number == shown["version"]["number"] == len(told.activities)


def test_each_event_is_one_activity_and_the_log_has_no_gap(told: Told) -> None:
    assert [one.message_id for one in told.activities] == ["identify-1", "consent-1", "order-1", "order-2"]
    assert [one.customer_version for one in told.activities] == [1, 2, 3, 4]
    for topic in REGISTRY:
        if topic.kind is Kind.SEQUENCED_LOG:
            orders = [(one.partition, sequence_of(one.headers)) for one in told.records[topic.name]]
            for lane in {lane for lane, _ in orders}:
                numbers = [order.number for at, order in orders if at == lane and order is not None]
                assert numbers == list(range(len(numbers))), topic.name


def test_the_second_order_is_the_cause_of_the_entry(told: Told) -> None:
    entered = told.changes[0]
    order = next(one for one in told.activities if one.message_id == "order-2")
    assert (entered.segment, entered.change, entered.sequence) == ("repeat-buyer", "entered", 1)
    assert entered.cause == EventCause("order-2")
    assert [(fact.rule, fact.value) for fact in entered.reason] == [("count(Order Completed, 30 days) >= 2", 2)]
    assert entered.effective_at == order.occurred_at
    assert entered.customer_version == order.customer_version == 4


def test_the_clock_alone_ends_the_membership_when_the_first_order_is_too_old(told: Told) -> None:
    _, exited = told.changes
    assert (exited.segment, exited.change, exited.sequence) == ("repeat-buyer", "exited", 2)
    assert exited.cause == ClockCause()
    assert [(fact.rule, fact.value) for fact in exited.reason] == [("count(Order Completed, 30 days) >= 2", 1)]
    due = told.first_order_at + WINDOW
    assert abs(exited.effective_at - due) <= timedelta(milliseconds=1)
    assert due <= exited.computed_at <= due + LATE


def test_the_membership_stands_on_its_topic_until_its_tombstone(told: Told) -> None:
    entered, exited = told.of(SEGMENT_MEMBERSHIPS)
    assert entered.key == exited.key == f"{told.customer}:repeat-buyer".encode()
    assert decode(SegmentMembership, entered.value or b"").since == told.changes[0].effective_at
    assert exited.value is None
    versions = [version_of(record.headers) for record in (entered, exited)]
    assert [version.number for version in versions if version is not None] == [1, 2]


def test_one_mail_reaches_the_mail_server_and_the_ledger_says_so(told: Told, rapport: Rapport) -> None:
    (mail,) = mails_to(ADDRESS, mailbox.Maildir(rapport.platform.mails, create=False))
    assert mail["Subject"] == f"Thank you, {FIRST_NAME}"
    states = [decode(OutreachEvent, record.value or b"") for record in told.of(OUTREACH)]
    assert [one.state for one in states] == ["planned", "accepted"]
    assert {one.message_key for one in states} == {mail["X-Rapport-Message"]}
    assert states[-1].provider_id == mail["Message-ID"]
    listed = rapport.ask("engagement", "messages", "list", "--campaign", "thanks")["messages"]
    assert [(one["key"], one["state"]) for one in listed] == [(mail["X-Rapport-Message"], "accepted")]


def test_the_kpis_count_each_order_once(told: Told, rapport: Rapport) -> None:
    orders = [one for one in told.activities if one.name == "Order Completed"]
    by_month = {f"{one.occurred_at:%Y-%m}" for one in orders}
    revenue = rapport.ask("kpi", "show", "monthly_revenue")["rows"]
    assert {row["month"] for row in revenue} == by_month
    assert {row["currency"] for row in revenue} == {"EUR"}
    assert sum(Decimal(row["revenue"]) for row in revenue) == Decimal("95.00")
    assert sum(row["orders"] for row in rapport.ask("kpi", "show", "monthly_orders")["rows"]) == 2
    assert sum(row["customers"] for row in rapport.ask("kpi", "show", "repeat_customers")["rows"]) == 1
    mails = rapport.ask("kpi", "show", "mails_by_state")["rows"]
    assert mails == [{"campaign": "thanks", "state": "accepted", "mails": 1}]


def test_the_malformed_event_is_kept_with_its_reason_and_bytes(told: Told, rapport: Rapport) -> None:
    (listed,) = rapport.ask("ingest", "quarantine", "list")
    assert (listed["stage"], listed["reason"], listed["path"]) == ("payload", "not_a_number", "/properties/total")
    assert (listed["expected"], listed["found"]) == ("a number", "string")
    (letter,) = told.records[RAW_EVENTS_DLQ.name]
    shown = rapport.ask("ingest", "quarantine", "show", str(listed["id"]))
    assert shown["original"].encode() == letter.value
    assert header(letter.headers, "crm_reason") == "not_a_number"
    assert told.bad["messageId"] == shown["message_id"] == "bad-total"
    assert rapport.rows("SELECT sum(dead) FROM ingest.positions") == [(1,)]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_read_its_own_tables_and_nobody_elses(service: str, told: Told, rapport: Rapport) -> None:
    assert told.activities
    tables = rapport.rows("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s)", list(SERVICES))
    assert {schema for schema, _ in tables} == set(SERVICES)
    password = SecretsFile(rapport.platform.root).get(role_of(service))
    readable = set()
    with psycopg.connect(as_role(rapport.addresses.database_url, service, password), autocommit=True) as connection:
        for schema, table in tables:
            try:
                connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(schema, table)))
            except psycopg.errors.InsufficientPrivilege:
                continue
            readable.add((schema, table))
    assert readable == {(schema, table) for schema, table in tables if schema == service}


def test_nothing_that_names_eva_is_in_a_log(told: Told, rapport: Rapport) -> None:
    assert told.activities
    logs = [path for folder in rapport.logs for path in folder.rglob("*") if path.is_file()]
    assert {f"{service}.log" for service in SERVICES} <= {path.name for path in logs}
    assert [path.name for path in logs if CANARY.encode() in path.read_bytes().lower()] == []


def test_nothing_that_names_eva_is_on_a_page_of_metrics(told: Told, rapport: Rapport) -> None:
    assert told.activities
    pages = {
        part.name: page(f"http://{part.address}/metrics") for part in rapport.platform.status() if part.name in SERVICES
    }
    assert set(pages) == set(SERVICES)
    assert all(b"crm_" in text for text in pages.values())
    assert [name for name, text in pages.items() if CANARY.encode() in text.lower()] == []


def test_nothing_that_names_eva_is_in_a_key_or_a_header(told: Told) -> None:
    public = {
        f"{record.topic}[{record.partition}]@{record.offset}": b"\0".join(outside(record.key, record.headers)).lower()
        for records in told.records.values()
        for record in records
    }
    assert len(public) > 20
    assert [where for where, text in public.items() if CANARY.encode() in text] == []
    assert CANARY.encode() in (told.of(CUSTOMERS)[-1].value or b"").lower()


def outside(key: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Iterable[bytes]:
    yield key or b""
    for name, content in headers:
        yield name.encode()
        yield content or b""


def page(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - the service's own page
        return bytes(answer.read())


def mails_to(address: str, kept: Iterable[Message]) -> list[Message]:
    return [mail for mail in kept if mail["To"] is not None and address in mail["To"]]
