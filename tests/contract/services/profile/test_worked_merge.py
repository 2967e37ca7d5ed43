"""What a merge publishes, byte by byte: a redirect, a record with memberships, an activity that tells whose it is now.

The customer of a device that turns out to have done nothing leaves a tombstone.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs
import pytest

from services.profile.domain.identity_rules import IdentityRules
from services.profile.handlers import ProfileHandler
from shared.contracts.codec import decode
from shared.contracts.customers import CustomerRecord, CustomerRedirect
from shared.contracts.interactions import Activity
from shared.contracts.topics import topic
from shared.runtime.handler import Publication
from shared.runtime.message_schemas import schema_name
from shared.runtime.reference import FOLDER
from tests.contract.services.profile.test_worked_example import GOLDEN, shown
from tests.property.services.profile.strategies import START, interaction, record
from tests.unit.services.profile.in_memory import apply, new_handler

NOW = datetime(2026, 2, 1, 9, tzinfo=UTC)
COOKIE, EVA, NOBODY = ("anonymous_id", "an-7"), ("user_id", "u-17"), ("user_id", "test")
PHONES = [("ios.id", f"phone-{number}") for number in range(4)]
VIEWED = ("Product Viewed", "browse", {"product_id": "p"})
# Two others are many here, so that four phones are a crowd.
FEW = IdentityRules(most_partners=2, blocked={"user_id": frozenset({"test"})})


async def said(handler: ProfileHandler, minute: int, *who: tuple[str, str]) -> Sequence[Publication]:
    """Apply a view by somebody."""
    at = START + timedelta(minutes=minute)
    event = interaction(f"merge-{minute}", VIEWED, who, occurred_at=at, received_at=at)
    return (await apply(handler, [record(event)], now=NOW))[1]


def kept(published: Sequence[Publication]) -> list[dict[str, Any]]:
    return [_kept(one) for one in published]


def _kept(one: Publication) -> dict[str, Any]:
    return {**shown(one), "value": None if one.message.value is None else one.message.value.decode()}


async def merge() -> list[dict[str, Any]]:
    """Return what is published when a visitor signs in, and when its browser is seen once more."""
    handler = new_handler()
    await said(handler, 0, COOKIE)
    signed_in = await said(handler, 1, EVA, COOKIE)
    return kept([*signed_in, *await said(handler, 2, COOKIE)])


async def removal() -> list[dict[str, Any]]:
    """Return what is published when a phone leaves the one it was a customer with, and everything was done by that."""
    handler = new_handler(rules=FEW)
    first, *others = PHONES
    await said(handler, 0, NOBODY, others[0])  # which is how the phone that does nothing is the first one seen
    published = [one for minute, phone in enumerate(others, 1) for one in await said(handler, minute, first, phone)]
    return [one for one in kept(published) if one["value"] is None]


async def all_of_it() -> list[dict[str, Any]]:
    return [*await merge(), *await removal()]


def golden(name: str) -> list[dict[str, Any]]:
    """Read a topic's messages; those about merges are the last."""
    found: list[dict[str, Any]] = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    return found


async def test_a_merge_is_published_in_these_bytes() -> None:
    published = await all_of_it()
    for name in ("crm.activities.v1", "crm.customers.v1"):
        mine = [one for one in published if one["topic"] == name]
        assert golden(name)[-len(mine) :] == mine


async def test_redirect_record_and_activity_agree_whose_the_browser_is() -> None:
    published = await merge()
    by_type: dict[str, Any] = {
        dict(one["headers"])["ce_type"]: decode(
            topic(one["topic"]).payload_of(dict(one["headers"])["ce_type"]) or object, one["value"].encode()
        )
        for one in published
    }
    redirect, updated, activity = (
        by_type[kind] for kind in ("customer.redirected.v1", "customer.updated.v1", "activity.recorded.v1")
    )
    assert isinstance(redirect, CustomerRedirect)
    assert isinstance(updated, CustomerRecord)
    assert isinstance(activity, Activity)
    browser = redirect.customer_id
    assert redirect.redirect_to == updated.customer_id == activity.customer_id
    assert (activity.identity_id, activity.membership_version) == (browser, 2)
    assert redirect.memberships == updated.memberships == {browser: 2}


@pytest.mark.parametrize("kind", ["customer.updated.v1", "customer.redirected.v1", "activity.recorded.v1"])
async def test_what_profile_publishes_is_valid_by_the_schema_of_its_type(kind: str) -> None:
    found = [one for one in await all_of_it() if dict(one["headers"])["ce_type"] == kind]
    assert found
    for one in found:
        schema = json.loads((FOLDER / schema_name(topic(one["topic"]), kind)).read_text("utf-8"))
        value = json.loads(one["value"])
        assert [error.message for error in jsonschema_rs.validator_for(schema).iter_errors(value)] == []
        assert not jsonschema_rs.is_valid(schema, {**value, "customer_id": None})


async def test_every_type_that_the_registry_has_of_customers_is_published_with_its_payload_or_without() -> None:
    customers = topic("crm.customers.v1")
    found = [one for one in await all_of_it() if one["topic"] == customers.name]
    assert {dict(one["headers"])["ce_type"] for one in found} == set(customers.every_type)
    for one in found:
        kind = customers.payload_of(dict(one["headers"])["ce_type"])
        assert (kind is None) is (one["value"] is None)
