"""The worked example of one order, from ingest's interaction to the two messages of profile, byte by byte.

tests/golden/ keeps both for ever: readers of these topics rely on these bytes.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.contracts.codec import decode, encode, raw
from shared.contracts.customers import CustomerRecord
from shared.contracts.identities import IdentityRef, identity_id
from shared.contracts.interactions import Activity, Interaction
from shared.runtime.handler import APPLIED, DUPLICATE, Conflict, Publication
from shared.runtime.records import PlainRecord
from tests.unit.services.profile.in_memory import apply, new_handler

GOLDEN = Path(__file__).parents[3] / "golden"
SECRET = b"the example's secret"
USER, COOKIE, ADDRESS = (
    IdentityRef(identity_id(SECRET, kind, value), kind, value)
    for kind, value in (("user_id", "u-17"), ("anonymous_id", "an-7"), ("email", "eva@example.com"))
)
# What ingest makes of the example's order.
ORDER: bytes = json.loads((GOLDEN / "crm.interactions.v1.json").read_text("utf-8"))[0]["value"].encode()


def sent(value: bytes) -> PlainRecord:
    return PlainRecord(topic="crm.interactions.v1", partition=3, offset=41, key=USER.id.encode(), value=value)


def earlier(number: int, name: str, family: str, payload: Any, *also: IdentityRef) -> PlainRecord:
    """Make one of the six events before the example's."""
    at = datetime(2026, 11, 12, 18, number, tzinfo=UTC)
    said = Interaction(
        message_id=f"before-{number}",
        source="web-shop",
        name=name,
        family=family,
        occurred_at=at,
        received_at=at + timedelta(milliseconds=80),
        identities=(USER, *also),
        payload=raw(payload),
        context=raw({}),
        dedupe_key=f"{number:032x}",
        payload_hash="0" * 32,
    )
    return sent(encode(said))


BEFORE = (
    earlier(0, "Identify", "identify", {"traits": {"email": "eva@example.com", "plan": "trial"}}, ADDRESS, COOKIE),
    earlier(1, "Consent Given", "consent", {"purpose": "marketing", "channel": "email"}),
    earlier(2, "Order Completed", "order", {"total": {"amount": "59.50", "currency": "EUR"}}),
    earlier(3, "Product Viewed", "browse", {"product_id": "p-1"}, COOKIE),
    earlier(4, "Identify", "identify", {"traits": {"plan": None}}),
    earlier(5, "Product Viewed", "browse", {"product_id": "p-2"}),
)


async def published() -> Sequence[Publication]:
    """Apply the six events before, then the example's order, and return what that one says."""
    handler = new_handler()
    await apply(handler, BEFORE)
    outcomes, publications = await apply(handler, [sent(ORDER)])
    assert outcomes == [APPLIED]
    return publications


def shown(publication: Publication) -> dict[str, Any]:
    message = publication.message
    return {
        "topic": publication.topic,
        "key": message.key.decode(),
        "headers": [[name, content.decode()] for name, content in message.headers],
        "value": (message.value or b"").decode(),
    }


def golden(topic: str) -> Any:
    """Read the example's message; a topic's earlier ones follow it."""
    found = json.loads((GOLDEN / f"{topic}.json").read_text("utf-8"))
    return found[0] if isinstance(found, list) else found


@pytest.mark.parametrize("topic", ["crm.activities.v1", "crm.customers.v1"])
async def test_the_order_of_the_example_is_published_in_these_bytes(topic: str) -> None:
    found = [shown(publication) for publication in await published() if publication.topic == topic]
    assert found == [golden(topic)]


@pytest.mark.parametrize(("topic", "kind"), [("crm.activities.v1", Activity), ("crm.customers.v1", CustomerRecord)])
def test_the_golden_bytes_can_be_read_by_whoever_knows_the_contract(topic: str, kind: type[msgspec.Struct]) -> None:
    value = golden(topic)["value"].encode()
    assert encode(decode(kind, value)) == value


async def test_the_record_of_the_example_says_what_its_page_says() -> None:
    record = next(decode(CustomerRecord, p.message.value or b"") for p in await published() if "customers" in p.topic)
    assert record.orders is not None
    assert (record.orders.count, record.orders.revenue[0].amount, record.lifecycle) == (2, "95.00", "customer")
    assert [identity.kind for identity in record.identities] == ["user_id", "email", "anonymous_id"]
    assert set(record.traits) == {"email"}


async def test_the_repeated_call_is_a_duplicate_and_another_total_a_conflict() -> None:
    handler = new_handler()
    await apply(handler, [sent(ORDER)])
    other = ORDER.replace(b'"35.50"', b'"99"').replace(b"2447c684", b"2447c685")
    outcomes, publications = await apply(handler, [sent(ORDER), sent(other)])
    assert outcomes[0] == DUPLICATE
    assert isinstance(outcomes[1], Conflict)
    assert list(publications) == []
