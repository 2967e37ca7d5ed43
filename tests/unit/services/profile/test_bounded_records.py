"""A record has bounds that no number of events takes it past, and that no order of events shows in."""

import random
from datetime import timedelta

import pytest

from services.profile.domain import fold
from services.profile.domain.effects import UnreadablePayloadError
from services.profile.domain.event import event_of
from services.profile.domain.record import portray, render
from services.profile.domain.state import State
from shared.contracts.customers import (
    LARGEST_TRAIT,
    LONGEST_TRAIT_NAME,
    MOST_CASES,
    MOST_CONSENTS,
    MOST_IDENTITIES,
    MOST_TRAITS,
)
from shared.contracts.interactions import Interaction
from tests.property.services.profile.strategies import START, interaction

LARGEST_RECORD = 1_048_576 - 8_192  # 1 MiB, and room for key and headers
WIDE = "\U0001f600"  # a character of four bytes
OWNER = ("user_id", "u-1")


def identify(number: int, traits: dict[str, object], source: str = "shop") -> Interaction:
    at = START + timedelta(seconds=number % 7)
    said = ("Identify", "identify", {"traits": traits})
    others = [("email", f"{number}".ljust(255, WIDE))]
    return interaction(f"m-{number}", said, [OWNER, *others], occurred_at=at, received_at=at, source=source)


def consent(number: int, purpose: str) -> Interaction:
    at = START + timedelta(seconds=number % 7)
    name = "Consent Withdrawn" if number % 3 else "Consent Given"
    said = (name, "consent", {"purpose": purpose, "channel": "c".ljust(255, WIDE)})
    return interaction(f"c-{number}", said, [OWNER], occurred_at=at, received_at=at)


def case(number: int, what: str) -> Interaction:
    at = START + timedelta(seconds=number % 7)
    name = {"ticket": "Ticket Opened", "complaint": "Complaint Opened", "deal": "Deal Stage Changed"}[what]
    wide = "".ljust(255, WIDE)
    payload = {
        f"{what}_id": f"{number}".ljust(255, WIDE),
        "name" if what == "deal" else "subject": wide,
        "stage": wide,
        "owner_id": wide,
        "amount": {"amount": "9" * 20, "currency": "EUR"},
    }
    return interaction(f"{what}-{number}", (name, what, payload), [OWNER], occurred_at=at, received_at=at)


def folded(events: list[Interaction]) -> State:
    state = fold.begin(events[0].occurred_at)
    for event in events:
        fold.apply(state, event_of(event))
    return state


def rendered(events: list[Interaction]) -> bytes:
    state = folded(events)
    return render(events[0].identities[0].id, state, portray(state, None))


def test_whatever_is_said_of_a_customer_the_record_fits_into_a_message() -> None:
    largest = "x" * (LARGEST_TRAIT - 2)
    events = [
        identify(number, {f"{number}".ljust(LONGEST_TRAIT_NAME, WIDE): largest}, "s".ljust(255, WIDE))
        for number in range(MOST_TRAITS + 50)
    ]
    events += [consent(number, f"{number}".ljust(255, WIDE)) for number in range(MOST_CONSENTS + 50)]
    events += [case(number, what) for number in range(MOST_CASES + 5) for what in ("ticket", "complaint", "deal")]
    state = folded(events)
    assert {len(state.registers[book]) for book in ("tickets", "complaints", "deals", "deal_amounts")} == {MOST_CASES}
    kept = len(state.traits), len(state.identities), len(state.consent)
    assert kept == (MOST_TRAITS, MOST_IDENTITIES, MOST_CONSENTS)
    assert len(rendered(events)) < LARGEST_RECORD, len(rendered(events))


def test_what_stays_of_too_much_does_not_depend_on_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("MOST_TRAITS", "MOST_IDENTITIES", "MOST_CONSENTS", "MOST_CASES"):
        monkeypatch.setattr(fold, bound, 3)
    chance = random.Random(7)  # noqa: S311 - a shuffle, not a secret
    for _ in range(50):
        events = [
            identify(number, {chance.choice("abcdef"): chance.choice([None, 1, 2]) for _ in range(3)})
            for number in range(12)
        ]
        events += [consent(number, chance.choice("abcdef")) for number in range(12)]
        events += [case(number, chance.choice(["ticket", "deal"])) for number in range(12)]
        straight = rendered(events)
        chance.shuffle(events)
        assert rendered(events) == straight


def test_the_traits_said_last_stay() -> None:
    events = [identify(0, {f"early-{number}": 1}) for number in range(MOST_TRAITS)]
    events.append(identify(6, {"late": 1}))
    assert "late" in folded(events).traits


@pytest.mark.parametrize("traits", [{"x" * (LONGEST_TRAIT_NAME + 1): 1}, {"x": "y" * LARGEST_TRAIT}])
def test_a_trait_that_no_record_has_room_for_is_refused(traits: dict[str, object]) -> None:
    with pytest.raises(UnreadablePayloadError, match=r"\$\.payload\.traits"):
        event_of(identify(0, traits))
