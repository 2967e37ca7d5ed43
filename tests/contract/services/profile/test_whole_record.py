"""A record with every section that one can have, byte by byte."""

import json
from datetime import timedelta
from typing import Any

from shared.contracts.catalogue import family_of
from shared.contracts.codec import decode, encode
from shared.contracts.customers import CustomerRecord
from shared.contracts.interactions import Interaction
from shared.contracts.topics import CUSTOMERS
from tests.contract.services.profile.test_worked_example import GOLDEN, shown
from tests.property.services.profile.strategies import START, interaction, record
from tests.unit.services.profile.in_memory import apply, new_handler

EVA = (("user_id", "u-17"), ("email", "eva@example.com"), ("phone", "+4319999999"))
EUROS = {"amount": "900", "currency": "EUR"}
SAID: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Identify", {"traits": {"city": "Wien"}}),
    ("Consent Given", {"purpose": "marketing", "channel": "email"}),
    ("Page Viewed", {}),
    ("Order Completed", {"total": EUROS}),
    ("Order Refunded", {"total": EUROS}),
    ("Email Delivered", {}),
    ("Email Bounced", {"bounce_type": "hard"}),
    ("Ticket Opened", {"ticket_id": "t-1", "subject": "Where is it?"}),
    ("Complaint Opened", {"complaint_id": "c-1"}),
    ("Deal Stage Changed", {"deal_id": "d-1", "stage": "offer", "name": "Roof", "amount": EUROS, "owner_id": "o-1"}),
    ("Survey Answered", {"metric": "nps", "score": 9, "scale": 10}),
    ("Group Joined", {"group_id": "g-1"}),
)


def event(minute: int, name: str, payload: dict[str, Any]) -> Interaction:
    at = START + timedelta(minutes=minute)
    said = (name, str(family_of(name)), payload)
    return interaction(f"m-{minute}", said, EVA, occurred_at=at, received_at=at)


async def test_a_record_with_every_section_is_published_in_these_bytes() -> None:
    feed = [record(event(minute, *said)) for minute, said in enumerate(SAID)]
    _, publications = await apply(new_handler(), feed)
    found = [shown(publication) for publication in publications if publication.topic == "crm.customers.v1"]
    assert found == json.loads((GOLDEN / "crm.customers.v1.json").read_text("utf-8"))[1:2]


def test_every_golden_record_is_read_and_written_again_as_it_was() -> None:
    for golden in json.loads((GOLDEN / "crm.customers.v1.json").read_text("utf-8")):
        kind = CUSTOMERS.payload_of(dict(golden["headers"])["ce_type"])
        if kind is CustomerRecord:
            value = golden["value"].encode()
            assert encode(decode(kind, value)) == value


def test_the_record_with_every_section_leaves_none_out_but_what_a_merge_brings() -> None:
    value = json.loads((GOLDEN / "crm.customers.v1.json").read_text("utf-8"))[1]["value"]
    assert set(CustomerRecord.__struct_fields__) - set(json.loads(value)) == {"memberships"}
