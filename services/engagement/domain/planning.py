"""From triggers to messages: what a trigger becomes as soon as its customer is known well enough."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.engagement.domain.campaign import FIRST_STEP, Campaign, Channel
from services.engagement.domain.contact import Contact
from services.engagement.domain.following import Membership, follow, owner_of
from services.engagement.domain.ledger import Entry, Origin, leave_out, occurrence_of, plan
from services.engagement.domain.permission import Rule, Send, Skip, Wish, may_we_contact
from shared.contracts.segments import MergeCause, SegmentChange


class Occasion(StrEnum):
    """Why somebody is in a segment now, as far as campaigns care."""

    CHANGE = "change"
    """Something happened."""
    MERGE = "merge"
    """Who is who changed, by a merge or its undoing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A campaign's trigger that fired for a customer, who must be known at `customer_version` before it is decided.

    It keeps that customer's id, whoever that is by now. `parked_at` is since when it waits, nothing if it never did.
    """

    campaign: str
    occurrence: str
    customer_id: str
    customer_version: int
    lane: int
    caused_at: datetime | None
    occasion: Occasion = Occasion.CHANGE
    parked_at: datetime | None = None


def firings(
    campaigns: Mapping[str, Campaign], change: SegmentChange, lane: int, caused_at: datetime | None
) -> list[Firing]:
    """Tell which campaigns a segment change sets off: one that a merge made, only those whose file says so.

    An occurrence is one change of one customer, as they were then. A merge never makes another of it, and what a merge
    itself changes is told apart by its cause: so nobody is written to twice because of one.
    """
    occasion = Occasion.MERGE if isinstance(change.cause, MergeCause) else Occasion.CHANGE
    occurrence = occurrence_of(change.segment, change.customer_id, change.sequence)
    return [
        Firing(
            campaign=campaign.name,
            occurrence=occurrence,
            customer_id=change.customer_id,
            customer_version=change.customer_version,
            lane=lane,
            caused_at=caused_at,
            occasion=occasion,
        )
        for campaign in campaigns.values()
        if campaign.trigger.segment == change.segment
        and campaign.trigger.on is change.change
        and (occasion is Occasion.CHANGE or campaign.trigger.on_merge)
    ]


class Waiting(StrEnum):
    """Why a trigger can't be decided yet."""

    FOR_ITSELF = "for_itself"
    """The customer is not known at the version that made it fire."""
    FOR_ANOTHER = "for_another"
    """The customer went elsewhere, and who they are now is still to be told."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Who is who: what stands under each id, whose each identity is, and which campaigns wrote to which id."""

    contacts: Mapping[str, Contact]
    memberships: Mapping[str, Membership]
    written: AbstractSet[tuple[str, str]] = frozenset()

    def wrote_to_person_of(self, customer_id: str, campaign: str) -> bool:
        """Tell whether a campaign wrote to any id of the person that a customer is now."""
        owner = owner_of(customer_id, self.memberships)
        ids = {one for one, told in self.memberships.items() if told.customer_id == owner}
        return any((campaign, one) in self.written for one in {*ids, owner, customer_id})


def judge(
    firing: Firing,
    campaign: Campaign | None,
    directory: Directory,
    hash_address: Callable[[str], str],
    now: datetime,
) -> Entry | Waiting:
    """Decide a firing for whoever its customer is now, or say what it waits for.

    Who can't be told of within the campaign's time is not written to.
    """
    own = directory.contacts.get(firing.customer_id)
    if own is None or own.version < firing.customer_version:
        return Waiting.FOR_ITSELF
    contact = follow(own, directory.contacts, directory.memberships)
    if contact is None:
        if campaign is not None and (firing.parked_at is None or now - firing.parked_at <= campaign.expires_after):
            return Waiting.FOR_ANOTHER
        return decide(firing, campaign, None, hash_address, now, Skip(Rule.EXPIRED, "it is not known who it is now"))
    if firing.occasion is Occasion.MERGE and directory.wrote_to_person_of(firing.customer_id, firing.campaign):
        return decide(firing, campaign, contact, hash_address, now, Skip(Rule.ALREADY_WRITTEN))
    return decide(firing, campaign, contact, hash_address, now)


def decide(
    firing: Firing,
    campaign: Campaign | None,
    contact: Contact | None,
    hash_address: Callable[[str], str],
    now: datetime,
    refused: Skip | None = None,
) -> Entry:
    """Turn a firing into a planned message, or into one that is left out with its reason, `refused` before others."""
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
    if refused is not None:
        return leave_out(origin, refused, now)
    match may_we_contact(contact, Wish(campaign, now, hash_address), now):
        case Send():
            return plan(origin, now)
        case Skip() as skip:
            return leave_out(origin, skip, now)
