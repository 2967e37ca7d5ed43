"""May we contact this customer? One pure function, asked when a message is planned and again when it is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.engagement.domain.campaign import Campaign
from services.engagement.domain.contact import Contact, is_deliverable
from shared.contracts.customers import ConsentStatus


class Rule(StrEnum):
    """Why a message is not sent."""

    UNKNOWN_CUSTOMER = "unknown_customer"
    """There is no such customer, or not any more."""
    NO_ADDRESS = "no_address"
    """The record holds no mail address."""
    BAD_ADDRESS = "bad_address"
    """What the record holds is not an address that mail can be sent to."""
    NO_CONSENT = "no_consent"
    """Nobody agreed to this purpose on this channel."""
    CONSENT_WITHDRAWN = "consent_withdrawn"
    """What was agreed to was withdrawn."""
    ADDRESS_CHANGED = "address_changed"
    """The address is not the one that the message was planned for."""
    ALREADY_WRITTEN = "already_written"
    """The campaign wrote to this person before, and now only a merge would make it write again."""
    EXPIRED = "expired"
    """It could not be sent in time."""
    CAMPAIGN_GONE = "campaign_gone"
    """The campaign was taken away before the message was sent."""
    NOT_RENDERABLE = "not_renderable"
    """The template could not be filled in for this customer."""


@dataclass(frozen=True, slots=True, repr=False)
class Send:
    """Yes, to this address."""

    address: str


@dataclass(frozen=True, slots=True)
class Skip:
    """No: which rule says so, and what exactly; `detail` never holds personal data."""

    rule: Rule
    detail: str = ""


Verdict = Send | Skip


@dataclass(frozen=True, slots=True)
class Wish:
    """The message that somebody would like to send.

    `hash_address` names an address without revealing it; `planned_for` is the name of the one that the message was
    planned for, nothing while it is being planned.
    """

    campaign: Campaign
    planned_at: datetime
    hash_address: Callable[[str], str]
    planned_for: str | None = None


def may_we_contact(contact: Contact | None, wish: Wish, now: datetime) -> Verdict:
    """Decide whether a message may go out now, and name the first rule that says no."""
    if contact is None or contact.record is None:
        return Skip(Rule.UNKNOWN_CUSTOMER)
    refused = _agreed(contact, wish.campaign) or _in_time(wish, now)
    if refused is not None:
        return refused
    if contact.address is None:
        return Skip(Rule.NO_ADDRESS)
    return _as_planned(contact.address, wish)


def _agreed(contact: Contact, campaign: Campaign) -> Skip | None:
    subject = f"{campaign.purpose}/{campaign.channel}"
    consent = contact.consent(campaign.purpose, campaign.channel)
    if consent is None:
        return Skip(Rule.NO_CONSENT, subject)
    if consent.state is ConsentStatus.WITHDRAWN:
        return Skip(Rule.CONSENT_WITHDRAWN, f"{subject} at {consent.at.isoformat()}")
    return None


def _in_time(wish: Wish, now: datetime) -> Skip | None:
    if now - wish.planned_at > wish.campaign.expires_after:
        return Skip(Rule.EXPIRED, f"planned at {wish.planned_at.isoformat()}")
    return None


def _as_planned(address: str, wish: Wish) -> Verdict:
    if not is_deliverable(address):
        return Skip(Rule.BAD_ADDRESS)
    if wish.planned_for is not None and wish.hash_address(address) != wish.planned_for:
        return Skip(Rule.ADDRESS_CHANGED)
    return Send(address)
