"""The handler alone: what it reads, what it calls a duplicate, and what it refuses to read."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import msgspec
import pytest

from services.engagement.adapters.postgres_book import PostgresBook
from services.engagement.domain.campaign import Campaign
from services.engagement.domain.contact import address_hash
from services.engagement.handlers import EngagementHandler, Planning
from services.engagement.ports import Known, Rows
from shared.contracts.envelope import Order
from shared.contracts.outreach import MessageState
from shared.contracts.segments import Change
from shared.runtime.handler import APPLIED, DUPLICATE, Decision
from shared.runtime.records import PlainRecord, Poison, Received
from tests.unit.services.engagement.records import (
    MERGED,
    NOON,
    SECRET,
    WITHDRAWN,
    campaign,
    change,
    customer,
    person,
    record,
    redirect,
)

NOTHING = Known({}, {}, (), frozenset())


def handler(*campaigns: Campaign) -> EngagementHandler:
    known = {made.name: made for made in campaigns or (campaign(),)}
    return EngagementHandler(Planning(known, partial(address_hash, SECRET)), PostgresBook(), lambda: None)


def decide(*records: PlainRecord, state: Known = NOTHING, campaigns: Sequence[Campaign] = ()) -> Decision[Rows]:
    made = handler(*campaigns)
    events = [Received(one, 0, event) for one in records for event in made.decode(one)]
    return made.decide(events, (), state, NOON)  # type: ignore[arg-type]  # nothing here is poison


def test_consent_is_asked_as_it_is_after_the_batch_whatever_order_topics_were_read_in() -> None:
    records = [change(version=1), customer(record(), 1), customer(record(consent=WITHDRAWN), 2)]
    for order in (records, records[::-1]):
        (entry,) = decide(*order).rows.entries
        assert (entry.state, entry.rule) == (MessageState.SKIPPED, "consent_withdrawn")


def test_only_the_newest_record_of_a_batch_is_written() -> None:
    decision = decide(customer(record(), 2), customer(record(), 1), customer(record(first_name="E"), 3))
    assert decision.outcomes == [APPLIED, DUPLICATE, APPLIED]
    (row,) = decision.rows.customers
    assert (row.order, row.replaces) == (Order(1, 3), None)


def test_a_record_no_newer_than_the_known_one_is_a_duplicate_and_a_restored_database_is_newer() -> None:
    state = replace(NOTHING, versions={person(1): Order(1, 5)})
    assert decide(customer(record(), 5), state=state).outcomes == [DUPLICATE]
    decision = decide(customer(record(), 1, incarnation=2), state=state)
    assert decision.outcomes == [APPLIED]
    assert decision.rows.customers[0].replaces == Order(1, 5)


def test_an_entry_sets_off_every_campaign_of_its_segment_and_no_other() -> None:
    second = replace(campaign(), name="second")
    elsewhere = replace(campaign(), name="third", trigger=replace(campaign().trigger, segment="other"))
    campaigns = (campaign(), second, elsewhere)
    decision = decide(customer(record()), change(), change(sequence=2, kind=Change.EXITED), campaigns=campaigns)
    assert sorted(entry.origin.campaign for entry in decision.rows.entries) == ["second", "welcome-back"]
    assert len({entry.key for entry in decision.rows.entries}) == 2


def test_an_entry_that_a_merge_made_sets_off_only_campaigns_that_ask_for_it() -> None:
    asking = replace(campaign(), name="second", trigger=replace(campaign().trigger, on_merge=True))
    decision = decide(customer(record()), change(cause=MERGED), campaigns=(campaign(), asking))
    assert [entry.origin.campaign for entry in decision.rows.entries] == ["second"]
    assert decision.outcomes == [APPLIED, APPLIED]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (customer(record(memberships={1: 0})), "bad_membership"),
        (customer(record(memberships={1: 2**31})), "bad_membership"),
        (redirect(1, 2, 1, membership=-1), "bad_membership"),
        (msgspec.structs.replace(redirect(1, 2, 1), value=b"{}"), "malformed"),
    ],
)
def test_whose_an_identity_is_counts_from_one(message: PlainRecord, reason: str) -> None:
    (found,) = handler().decode(message)
    assert isinstance(found, Poison)
    assert found.reason == reason


def test_a_trigger_whose_campaign_went_away_while_parked_says_so() -> None:
    parked = decide(change(version=4)).rows.parked
    state = replace(NOTHING, parked=parked)
    (entry,) = decide(customer(record(), 4), state=state, campaigns=[replace(campaign(), name="other")]).rows.entries
    assert (entry.state, entry.rule) == (MessageState.SKIPPED, "campaign_gone")


def test_the_ledger_and_what_is_published_hold_no_address() -> None:
    decision = decide(customer(record(email="eva@example.com")), change())
    written = msgspec.json.encode([decision.publications, decision.rows.announcements])
    assert b"eva" not in written
    (entry,) = decision.rows.entries
    assert "eva" not in repr(entry)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (PlainRecord(topic="crm.other.v1", partition=0, offset=0, value=b"{}"), "unexpected_topic"),
        (msgspec.structs.replace(customer(record()), value=b"{"), "malformed"),
        (msgspec.structs.replace(customer(record()), value=b"\xff"), "malformed"),
        (msgspec.structs.replace(customer(record()), value=b'{"customer_id": 7}'), "malformed"),
        (msgspec.structs.replace(customer(record()), key=None), "no_key"),
        (msgspec.structs.replace(customer(record()), key=b"\xff"), "malformed"),
        (msgspec.structs.replace(customer(record()), headers=[]), "no_version"),
        (msgspec.structs.replace(change(), value=None), "malformed"),
        (msgspec.structs.replace(change(), value=b"[]"), "malformed"),
        (msgspec.structs.replace(change(), headers=[("ce_type", b"segment.entered.v2")]), "unknown_type"),
    ],
)
def test_what_cannot_be_read_is_poison_with_a_reason(message: PlainRecord, reason: str) -> None:
    (found,) = handler().decode(message)
    assert isinstance(found, Poison)
    assert found.reason == reason
    assert "@" not in found.found
