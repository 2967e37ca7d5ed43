"""The worked example (one order, all the way), step 6: what engagement says of Eva's mail, byte by byte."""

from datetime import UTC, datetime
from functools import partial

from services.engagement.adapters.postgres_book import PostgresBook
from services.engagement.domain.contact import address_hash
from services.engagement.domain.ledger import Accepted, Entry, RetryPolicy, claim, settle
from services.engagement.handlers import EngagementHandler, Planning, announcements, publications
from services.engagement.ports import Known
from shared.contracts.codec import decode
from shared.contracts.outreach import MessageState, OutreachEvent
from shared.contracts.topics import CUSTOMERS, OUTREACH, SEGMENT_CHANGES
from shared.runtime.handler import Decision, Publication
from shared.runtime.records import PlainRecord, Received
from tests.unit.services.engagement.records import campaign

CUSTOMER = "5f0c3a1e9b7d4c2f8a6e5d4c3b2a1908"
KEY = "67314df5c0a4580e797e026edc0bcd28"
AT = datetime(2026, 11, 22, 9, 30, 1, 700_000, UTC)
SECRET = b"the worked example's secret"

RECORD = b"""{"customer_id": "5f0c3a1e9b7d4c2f8a6e5d4c3b2a1908", "identities": [],
"traits": {"email": {"value": "eva@example.com", "source": "web-shop", "at": "2026-11-20T08:00:00Z"}},
"orders": {"count": 2, "revenue": [{"amount": "95.00", "currency": "EUR"}], "first_at": "2026-11-14T18:02:00Z",
"last_at": "2026-11-22T09:30:01.370Z"},
"consent": {"marketing/email": {"state": "given", "at": "2026-11-20T08:00:00Z"}},
"first_at": "2026-11-14T18:00:00Z", "last_at": "2026-11-22T09:30:01.370Z", "lifecycle": "customer"}"""
CHANGE = b"""{"segment": "two-or-more", "definition_version": 3, "change": "entered",
"effective_at": "2026-11-22T09:30:01.370Z", "computed_at": "2026-11-22T09:30:01.512Z",
"cause": {"kind": "event", "message_id": "01a20297-52a2-7abc-8def-000000000001"},
"reason": [{"rule": "count(Order Completed) >= 2", "value": 2}], "sequence": 1,
"customer_id": "5f0c3a1e9b7d4c2f8a6e5d4c3b2a1908", "customer_version": 7}"""

CUSTOMER_READ = PlainRecord(
    topic=CUSTOMERS.name,
    partition=3,
    offset=880,
    key=CUSTOMER.encode(),
    value=RECORD,
    headers=[("ce_type", b"customer.updated.v1"), ("ce_version", b"7"), ("ce_incarnation", b"1")],
)
CHANGE_READ = PlainRecord(
    topic=SEGMENT_CHANGES.name,
    partition=3,
    offset=12,
    key=CUSTOMER.encode(),
    value=CHANGE,
    headers=[
        ("ce_type", b"segment.entered.v1"),
        ("ce_sequence", b"12"),
        ("ce_incarnation", b"1"),
        ("crm_accepted_at", b"2026-11-22T09:30:01.420000+00:00"),
    ],
)


def planned() -> tuple[Decision[object], Entry]:
    planning = Planning({"welcome-back": campaign()}, partial(address_hash, SECRET))
    handler = EngagementHandler(planning, PostgresBook(), lambda: None)
    events = [Received(one, 0, event) for one in (CUSTOMER_READ, CHANGE_READ) for event in handler.decode(one)]
    decision = handler.decide(events, (), Known({}, {}, (), frozenset()), AT)  # type: ignore[arg-type]  # no poison
    (entry,) = decision.rows.entries
    return decision, entry  # type: ignore[return-value]  # the rows' type does not matter here


def said(publication: Publication) -> tuple[bytes, dict[str, str], bytes | None]:
    headers = {name: value.decode() for name, value in publication.message.headers}
    return publication.message.key, headers, publication.message.value


def test_the_planned_mail_is_said_byte_by_byte() -> None:
    decision, _ = planned()
    (publication,) = decision.publications
    assert (publication.topic, publication.lane, publication.key) == (OUTREACH.name, 3, f"{KEY}-1".encode())
    key, headers, value = said(publication)
    assert key == CUSTOMER.encode()
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": f"{KEY}-1",
        "ce_source": "rapport/engagement",
        "ce_type": "message.planned.v1",
        "ce_time": "2026-11-22T09:30:01.700000+00:00",
        "ce_subject": CUSTOMER,
        "crm_accepted_at": "2026-11-22T09:30:01.420000+00:00",
    }
    assert (
        value
        == (
            f'{{"message_key":"{KEY}","campaign":"welcome-back","step":"1","channel":"email","customer_id":"{CUSTOMER}",'
            '"state":"planned","at":"2026-11-22T09:30:01.700000Z","occurrence":"57f182ab2f611cb4ea841ba29f48cbfc","provider_id":null,"rule":null}'
        ).encode()
    )


def test_the_accepted_mail_names_its_message_id() -> None:
    _, entry = planned()
    settled = settle(claim(entry, "example.com", AT), 1, Accepted("250"), RetryPolicy(), AT)
    assert settled is not None
    (publication,) = publications(announcements([settled]))
    key, headers, value = said(publication)
    assert (key, headers["ce_type"], headers["ce_id"]) == (CUSTOMER.encode(), "message.accepted.v1", f"{KEY}-3")
    assert value is not None
    event = decode(OutreachEvent, value)
    assert (event.state, event.provider_id) == (MessageState.ACCEPTED, f"<{KEY}@example.com>")
