"""From triggers to messages: what a trigger becomes as soon as its customer is known well enough."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.engagement.domain.campaign import FIRST_STEP, Campaign, Channel
from services.engagement.domain.contact import Contact
from services.engagement.domain.ledger import Entry, Origin, leave_out, occurrence_of, plan
from services.engagement.domain.permission import Rule, Send, Skip, Wish, may_we_contact
from shared.contracts.segments import SegmentChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A campaign's trigger that fired for a customer, who must be known at `customer_version` before it is decided."""

    campaign: str
    occurrence: str
    customer_id: str
    customer_version: int
    lane: int
    caused_at: datetime | None


def firings(
    campaigns: Mapping[str, Campaign], change: SegmentChange, lane: int, caused_at: datetime | None
) -> list[Firing]:
    """Tell which campaigns a segment change sets off."""
    occurrence = occurrence_of(change.segment, change.customer_id, change.sequence)
    return [
        Firing(
            campaign=campaign.name,
            occurrence=occurrence,
            customer_id=change.customer_id,
            customer_version=change.customer_version,
            lane=lane,
            caused_at=caused_at,
        )
        for campaign in campaigns.values()
        if campaign.trigger.segment == change.segment and campaign.trigger.on is change.change
    ]


def decide(
    firing: Firing,
    campaign: Campaign | None,
    contact: Contact | None,
    hash_address: Callable[[str], str],
    now: datetime,
) -> Entry:
    """Turn a firing into a planned message, or into one that is left out with its reason."""
    channel = Channel.EMAIL if campaign is None else campaign.channel
    address = None if contact is None else contact.address
    origin = Origin(
        campaign=firing.campaign,
        step=FIRST_STEP,
        channel=channel,
        customer_id=firing.customer_id,
        occurrence=firing.occurrence,
        address_hash=None if address is None else hash_address(address),
        lane=firing.lane,
        caused_at=firing.caused_at,
    )
    if campaign is None:
        return leave_out(origin, Skip(Rule.CAMPAIGN_GONE), now)
    match may_we_contact(contact, Wish(campaign, now, hash_address), now):
        case Send():
            return plan(origin, now)
        case Skip() as skip:
            return leave_out(origin, skip, now)
