"""May we contact somebody: each rule by its name, withdrawal before everything, and never a reason with an address."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from services.engagement.domain.contact import Contact, address_hash, is_deliverable
from services.engagement.domain.permission import Rule, Send, Skip, Wish, may_we_contact
from tests.unit.services.engagement.records import GIVEN, NOON, SECRET, WITHDRAWN, campaign, person, record

hash_address = partial(address_hash, SECRET)
WISH = Wish(campaign(), NOON, hash_address)


def known(**changes: object) -> Contact:
    return Contact(person(1), 7, record(**changes))  # type: ignore[arg-type]  # each test names what it changes


def test_who_agreed_and_has_an_address_is_written_to() -> None:
    assert may_we_contact(known(), WISH, NOON) == Send("c1@example.com")


@pytest.mark.parametrize(
    ("contact", "rule"),
    [
        (None, Rule.UNKNOWN_CUSTOMER),
        (Contact(person(1), 7, None), Rule.UNKNOWN_CUSTOMER),
        (known(consent=None), Rule.NO_CONSENT),
        (known(consent=WITHDRAWN), Rule.CONSENT_WITHDRAWN),
        (known(consent=WITHDRAWN, email=None), Rule.CONSENT_WITHDRAWN),
        (known(email=None), Rule.NO_ADDRESS),
        (known(email=17), Rule.NO_ADDRESS),
        (known(email="c1 at example.com"), Rule.BAD_ADDRESS),
        (known(email="c1@example.com\r\nBcc: all@example.com"), Rule.BAD_ADDRESS),
    ],
)
def test_whoever_is_not_written_to_is_told_apart_by_rule(contact: Contact | None, rule: Rule) -> None:
    verdict = may_we_contact(contact, WISH, NOON)
    assert isinstance(verdict, Skip)
    assert verdict.rule is rule
    assert "@" not in verdict.detail


def test_consent_to_another_purpose_or_channel_is_none() -> None:
    wish = Wish(replace(campaign(), purpose="newsletter"), NOON, hash_address)
    assert may_we_contact(known(), wish, NOON) == Skip(Rule.NO_CONSENT, "newsletter/email")


def test_a_message_that_waited_too_long_is_not_sent() -> None:
    just_in_time = NOON + WISH.campaign.expires_after
    assert isinstance(may_we_contact(known(), WISH, just_in_time), Send)
    late = may_we_contact(known(), WISH, just_in_time + timedelta(seconds=1))
    assert isinstance(late, Skip)
    assert late.rule is Rule.EXPIRED


@pytest.mark.parametrize(
    ("now", "expected"),
    [("c1@example.com", Send("c1@example.com")), ("c2@example.com", Skip(Rule.ADDRESS_CHANGED))],
)
def test_a_message_goes_to_the_address_it_was_planned_for(now: str, expected: object) -> None:
    wish = Wish(campaign(), NOON, hash_address, planned_for=hash_address("c1@example.com"))
    assert may_we_contact(known(email=now, consent=GIVEN), wish, NOON) == expected


@pytest.mark.parametrize(
    ("address", "deliverable"),
    [
        ("eva@example.com", True),
        ("eva+news.2026@mail.example.co.at", True),
        ("o'hara@example.com", True),
        ("eva@localhost", False),
        ("eva@-example.com", False),
        (".eva@example.com", False),
        ("eva..b@example.com", False),
        ("eva@example.com ", False),
        ("eva@exämple.com", False),
        ("<eva@example.com>", False),
        ("eva@example.com,all@example.com", False),
        ("eva@example.com\n", False),
        ("e\x00va@example.com", False),
        (f"{'e' * 250}@example.com", False),
        ("", False),
    ],
)
def test_an_address_is_what_plain_smtp_can_carry(address: str, *, deliverable: bool) -> None:
    assert is_deliverable(address) is deliverable


def test_an_address_is_named_alike_in_any_case_and_differently_under_another_secret() -> None:
    assert hash_address("Eva@Example.com") == hash_address("eva@example.com")
    assert hash_address("eva@example.com") != address_hash(b"another secret", "eva@example.com")
    assert "eva" not in repr(Send("eva@example.com"))
