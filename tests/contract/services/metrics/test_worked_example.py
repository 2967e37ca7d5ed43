"""The worked example of one order, from the messages that reach metrics to the facts that they make."""

from decimal import Decimal

from services.metrics.decoding import read
from services.metrics.domain.events import CustomerSeen, MessageReached, SegmentChanged
from services.metrics.domain.facts import FirstDays, OrderSum, facts_of
from services.metrics.domain.months import day_of
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, OUTREACH, SEGMENT_CHANGES
from shared.runtime.records import PlainRecord, Poison
from tests.unit.services.metrics.records import NOON

CUSTOMER = "5f" * 16
EVA = bytes.fromhex(CUSTOMER)
TODAY = day_of(NOON)

FIRST_ORDER = b"""{"message_id":"01a1f8c2-0000-7abc-8def-000000000001","source":"web-shop","name":"Order Completed",
"family":"order","occurred_at":"2026-11-12T18:02:00Z","received_at":"2026-11-12T18:02:00.100Z",
"customer_id":"%s","identity_id":"%s","customer_version":6,
"payload":{"order_id":"o-850","total":{"amount":"59.50","currency":"EUR"}},"context":{}}"""
SECOND_ORDER = b"""{"message_id":"01a20297-52a2-7abc-8def-000000000001","source":"web-shop","name":"Order Completed",
"family":"order","occurred_at":"2026-11-22T09:30:01.370Z","received_at":"2026-11-22T09:30:01.420Z",
"customer_id":"%s","identity_id":"%s","customer_version":7,
"payload":{"order_id":"o-900","total":{"amount":"35.50","currency":"EUR"},
"lines":[{"product_id":"p-1","quantity":"2","price":"17.75"}]},"context":{"locale":"de-AT","timezone":"Europe/Vienna"}}"""
RECORD = b"""{"customer_id":"%s","identities":[{"id":"%s","kind":"user_id","value":"u-17"}],
"traits":{"email":{"value":"eva@example.com","source":"web-shop","at":"2026-11-01T08:00:00Z"}},
"orders":{"count":2,"revenue":[{"amount":"95.00","currency":"EUR"}],"first_at":"2026-11-12T18:02:00Z",
"last_at":"2026-11-22T09:30:01.370Z"},"consent":{"marketing/email":{"state":"given","at":"2026-11-01T08:00:00Z"}},
"first_at":"2026-11-01T08:00:00Z","last_at":"2026-11-22T09:30:01.370Z","lifecycle":"customer"}"""
ENTERED = b"""{"segment":"repeat-buyer","definition_version":3,"change":"entered",
"effective_at":"2026-11-22T09:30:01.370Z","computed_at":"2026-11-22T09:30:01.512Z",
"cause":{"kind":"event","message_id":"01a20297-52a2-7abc-8def-000000000001"},
"reason":[{"rule":"count(Order Completed, 30 days) >= 2","value":2}],"sequence":1,"customer_id":"%s",
"customer_version":7}"""
ACCEPTED = b"""{"message_key":"9c%s","campaign":"repeat-buyer-thanks","step":"mail","channel":"email",
"customer_id":"%s","state":"accepted","at":"2026-11-22T09:30:01.770Z","occurrence":"77","provider_id":"<1@example.com>"}"""


def message(topic: str, value: bytes, **headers: bytes) -> PlainRecord:
    filled = value.replace(b"%s", CUSTOMER.encode())
    return PlainRecord(topic=topic, partition=3, offset=0, value=filled, headers=list(headers.items()))


EXAMPLE = (
    message(ACTIVITIES.name, FIRST_ORDER, ce_incarnation=b"1", ce_sequence=b"3100"),
    message(ACTIVITIES.name, SECOND_ORDER, ce_incarnation=b"1", ce_sequence=b"3204"),
    message(CUSTOMERS.name, RECORD, ce_type=b"customer.updated.v1", ce_incarnation=b"1", ce_version=b"7"),
    message(SEGMENT_CHANGES.name, ENTERED, ce_type=b"segment.entered.v1", ce_incarnation=b"1", ce_sequence=b"12"),
    message(OUTREACH.name, ACCEPTED, ce_type=b"message.accepted.v1", ce_incarnation=b"1", ce_sequence=b"5"),
)


def test_the_order_of_the_worked_example_becomes_the_facts_that_it_says() -> None:
    events = []
    for record in EXAMPLE:
        event = read(record)
        assert not isinstance(event, Poison), event
        events.append(event)
    facts = facts_of(events)
    assert facts.orders == {
        (EVA, TODAY - 10, "EUR"): OrderSum(1, Decimal("59.50")),
        (EVA, TODAY, "EUR"): OrderSum(1, Decimal("35.50")),
    }
    assert facts.first_days == {EVA: FirstDays(TODAY - 10, TODAY)}
    assert facts.activities == {(EVA, TODAY - 21): 2}
    assert facts.changes == {(3, "repeat-buyer", TODAY, "entered"): 1}
    assert list(facts.messages.values()) == [
        MessageReached(f"9c{CUSTOMER}", (1, 5), "repeat-buyer-thanks", "email", "accepted", TODAY, None)
    ]
    assert facts.customers == {EVA: CustomerSeen(EVA, (1, 7), "customer")}
    assert isinstance(events[3], SegmentChanged)
