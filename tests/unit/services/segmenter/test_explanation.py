from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.segmenter.domain.customer import UNKNOWN, Customer, with_event, with_record
from services.segmenter.domain.definitions import read
from services.segmenter.domain.explanation import explain
from services.segmenter.domain.instants import instant
from services.segmenter.domain.record import RecordFacts
from shared.contracts.codec import encode
from shared.contracts.envelope import Order
from shared.contracts.segments import Fact

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
NOW = instant(AT)


@pytest.fixture
def eva() -> Customer:
    facts = RecordFacts(
        {"country": "AT", "age": 20}, 1, {"EUR": "35.50"}, NOW, NOW, {"marketing/email": "given"}, NOW, NOW, "customer"
    )
    customer = with_record(UNKNOWN, Order(1, 1), encode(facts))
    assert customer is not None
    return with_event(customer, "Order Completed", NOW, 1, NOW)


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        (
            '{count: Order Completed, within: 30  day, operator: ">=", value: 2}',
            [("count(Order Completed, 30 days) >= 2", 1)],
        ),
        ('{count: Order Completed, operator: "<", value: 2}', [("count(Order Completed) < 2", 1)]),
        ('{field: traits.country, operator: "==", value: DE}', [("traits.country == DE", "AT")]),
        ("{field: traits.plan, operator: exists}", [("traits.plan exists", None)]),
        (
            "{field: traits.country, operator: in, value: [AT, true, 1.10]}",
            [("traits.country in [AT, true, 1.10]", "AT")],
        ),
        (
            '{field: orders.revenue.EUR, operator: ">", value: 35.5}',
            [("orders.revenue.EUR > 35.5", Decimal("35.50"))],
        ),
        ('{field: orders.last_at, operator: ">", value: 2026-01-31}', [("orders.last_at > 2026-01-31", AT)]),
        (
            '{not: {count: Order Completed, operator: ">=", value: 2}}',
            [("not count(Order Completed) >= 2", 1)],
        ),
        (
            '{all: [{field: lifecycle, operator: exists}, {field: traits.age, operator: "<", value: 18}]}',
            [("traits.age < 18", 20)],
        ),
        (
            '{any: [{field: lifecycle, operator: exists}, {field: traits.age, operator: "<", value: 18}]}',
            [("lifecycle exists", "customer")],
        ),
        (
            '{all: [{field: lifecycle, operator: exists}, {field: traits.age, operator: ">", value: 18}]}',
            [("lifecycle exists", "customer"), ("traits.age > 18", 20)],
        ),
    ],
)
def test_an_explanation_names_what_decided_with_what_was_found(
    eva: Customer, rule: str, facts: list[tuple[str, object]]
) -> None:
    definition = read("a.yaml", f"segment: a\nrule: {rule}".encode())
    assert explain(definition.rule, eva, NOW) == tuple(Fact(words, value) for words, value in facts)
