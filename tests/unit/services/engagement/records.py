"""Customers, segment changes and campaigns as engagement's tests need them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from services.engagement.domain.campaign import Campaign
from services.engagement.domain.campaign_file import read_campaign
from shared.contracts import envelope
from shared.contracts.codec import encode
from shared.contracts.customers import (
    Consent,
    ConsentStatus,
    CustomerRecord,
    CustomerRedirect,
    Lifecycle,
    Orders,
    Trait,
)
from shared.contracts.money import Money
from shared.contracts.segments import Cause, Change, EventCause, Fact, MergeCause, SegmentChange
from shared.contracts.topics import CUSTOMERS, SEGMENT_CHANGES
from shared.runtime.records import PlainRecord

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MERGED = MergeCause()
SECRET = b"an engagement test's secret"
SHIPPED = Path(__file__).parents[4] / "config" / "campaigns" / "welcome-back.yaml"
GIVEN, WITHDRAWN = ConsentStatus.GIVEN, ConsentStatus.WITHDRAWN


def campaign(content: bytes | None = None) -> Campaign:
    """Read a campaign, by default the one that is shipped."""
    found = read_campaign(SHIPPED.read_bytes() if content is None else content)
    assert isinstance(found, Campaign), found
    return found


def person(number: int) -> str:
    """Name a customer as profile does: 32 hexadecimal digits."""
    return f"{number:032x}"


def record(
    number: int = 1,
    *,
    email: object = "",
    consent: ConsentStatus | None = GIVEN,
    at: datetime = NOON - timedelta(days=3),
    memberships: Mapping[int, int] = MappingProxyType({}),
    **traits: object,
) -> CustomerRecord:
    """Make a customer with an address of their own, two orders and a consent to marketing mail."""
    address = f"c{number}@example.com" if email == "" else email
    given = {**({} if address is None else {"email": address}), **traits}
    return CustomerRecord(
        customer_id=person(number),
        identities=(),
        traits={name: Trait(value, "shop", NOON - timedelta(days=9)) for name, value in given.items()},
        orders=Orders(2, (Money("95.00", "EUR"),), NOON - timedelta(days=9), NOON),
        consent={} if consent is None else {"marketing/email": Consent(consent, at)},
        first_at=NOON - timedelta(days=9),
        last_at=NOON,
        lifecycle=Lifecycle.CUSTOMER,
        memberships={person(one): count for one, count in memberships.items()},
    )


def customer(
    found: CustomerRecord | None,
    version: int = 1,
    *,
    number: int = 1,
    lane: int = 0,
    incarnation: int = 1,
    offset: int = 0,
) -> PlainRecord:
    """Make the message of a customer's record, or of their end."""
    key = person(number) if found is None else found.customer_id
    kind = "customer.removed.v1" if found is None else "customer.updated.v1"
    value = None if found is None else encode(found)
    return _standing(key, kind, value, version, lane, incarnation, offset)


def redirect(number: int, to: int, version: int, membership: int = 2, *, lane: int = 0, offset: int = 0) -> PlainRecord:
    """Make the message of a customer who is another one now."""
    value = CustomerRedirect(
        customer_id=person(number), redirect_to=person(to), memberships={person(number): membership}
    )
    return _standing(person(number), "customer.redirected.v1", encode(value), version, lane, 1, offset)


def _standing(
    key: str, kind: str, value: bytes | None, version: int, lane: int, incarnation: int, offset: int
) -> PlainRecord:
    headers = envelope.headers(id=f"{key}-{version}", source="rapport/profile", type=kind, time=NOON, subject=key)
    headers += [("ce_version", str(version).encode()), ("ce_incarnation", str(incarnation).encode())]
    return PlainRecord(
        topic=CUSTOMERS.name, partition=lane, offset=offset, key=key.encode(), value=value, headers=headers
    )


def change(
    number: int = 1,
    version: int = 1,
    *,
    sequence: int = 1,
    segment: str = "two-or-more",
    kind: Change = Change.ENTERED,
    lane: int = 0,
    offset: int = 0,
    accepted_at: datetime | None = NOON,
    cause: Cause = EventCause("m-1"),  # noqa: B008 - a value that nothing changes
) -> PlainRecord:
    """Make the message of an entry into a segment, or an exit."""
    value = SegmentChange(
        segment=segment,
        definition_version=1,
        change=kind,
        effective_at=NOON,
        computed_at=NOON,
        cause=cause,
        reason=(Fact("count(Order Completed) >= 2", 2),),
        sequence=sequence,
        customer_id=person(number),
        customer_version=version,
    )
    headers = envelope.headers(
        id=f"{segment}-{number}-{sequence}",
        source="rapport/segmenter",
        type=f"segment.{kind.value}.v1",
        time=NOON,
        subject=person(number),
    )
    headers += [("ce_sequence", str(offset).encode()), ("ce_incarnation", b"1")]
    if accepted_at is not None:
        headers.append(("crm_accepted_at", accepted_at.isoformat().encode()))
    return PlainRecord(
        topic=SEGMENT_CHANGES.name,
        partition=lane,
        offset=offset,
        key=person(number).encode(),
        value=encode(value),
        headers=headers,
    )
