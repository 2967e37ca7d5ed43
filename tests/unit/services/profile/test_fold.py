"""The rules of the fold one by one."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.profile.domain import fold
from services.profile.domain.event import event_of
from services.profile.domain.record import record_of
from services.profile.domain.state import State, own
from shared.contracts.customers import Consent, ConsentStatus, CustomerRecord, Lifecycle
from shared.contracts.interactions import Interaction
from tests.property.services.profile.strategies import START, interaction

MARKETING = {"purpose": "marketing", "channel": "email"}


def folded(*events: Interaction) -> State:
    state = fold.begin(events[0].occurred_at)
    for event in events:
        fold.apply(state, event_of(event))
    return state


def record(*events: Interaction) -> CustomerRecord:
    return record_of(events[0].identities[0].id, folded(*events))


def at(minutes: int, said: tuple[str, str, Any], message_id: str = "m", source: str = "shop") -> Interaction:
    moment = START + timedelta(minutes=minutes)
    return interaction(message_id, said, occurred_at=moment, received_at=moment, source=source)


def order(amount: str | None, currency: str = "EUR", minutes: int = 0) -> Interaction:
    total = {} if amount is None else {"total": {"amount": amount, "currency": currency}}
    return at(minutes, ("Order Completed", "order", total))


def trait(value: Any, minutes: int = 0, message_id: str = "m", source: str = "shop") -> Interaction:
    return at(minutes, ("Identify", "identify", {"traits": {"city": value}}), message_id, source)


def test_orders_add_up_by_currency_and_keep_first_and_last() -> None:
    orders = record(
        order("35.50", minutes=5), order("24", minutes=9), order("1", "USD", 2), order(None, minutes=3)
    ).orders
    assert orders is not None
    assert (orders.count, orders.first_at, orders.last_at) == (
        4,
        START + timedelta(minutes=2),
        START + timedelta(minutes=9),
    )
    assert [(money.amount, money.currency) for money in orders.revenue] == [("59.50", "EUR"), ("1", "USD")]


def test_sums_are_exact_far_beyond_the_usual_digits() -> None:
    orders = record(order("9" * 20), order("0.000000000001"), order("-" + "9" * 20)).orders
    assert orders is not None
    assert orders.revenue[0].amount == "0.000000000001"


def test_the_latest_write_of_a_trait_wins_whenever_it_arrives() -> None:
    traits = record(trait("Wien", minutes=2), trait("Graz", minutes=1)).traits
    assert bytes(traits["city"].value) == b'"Wien"'
    assert traits["city"].at == START + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (trait("b", message_id="m-2", source="x"), trait("z", message_id="m-1", source="y")),
        (trait("b", source="y"), trait("z", source="x")),
        (trait("b"), trait("a")),
    ],
    ids=["message id", "source", "value"],
)
def test_writes_at_the_same_time_are_decided_by_message_id_then_source_then_value(
    winner: Interaction, loser: Interaction
) -> None:
    for pair in (winner, loser), (loser, winner):
        assert bytes(record(*pair).traits["city"].value) == b'"b"'


def test_an_unset_trait_is_gone_and_an_older_write_does_not_bring_it_back() -> None:
    assert record(trait("Wien", minutes=1), trait(None, minutes=3), trait("Graz", minutes=2)).traits == {}


def consent(name: str, minutes: int = 0, said: Any = None) -> Interaction:
    return at(minutes, (name, "consent", said if said is not None else MARKETING))


def test_the_later_word_about_consent_counts() -> None:
    said = record(consent("Consent Given", 4), consent("Consent Withdrawn", 2)).consent
    assert said == {"marketing/email": Consent(ConsentStatus.GIVEN, START + timedelta(minutes=4))}


def test_a_withdrawal_wins_over_an_opt_in_at_the_same_time() -> None:
    for pair in ("Consent Given", "Consent Withdrawn"), ("Consent Withdrawn", "Consent Given"):
        assert record(*map(consent, pair)).consent["marketing/email"].state is ConsentStatus.WITHDRAWN


def test_unsubscribing_takes_back_marketing_mail_and_nothing_else() -> None:
    research = {"purpose": "research", "channel": "email"}
    said = record(
        consent("Consent Given"), consent("Consent Given", 0, research), consent("Unsubscribed", 1, {})
    ).consent
    assert {subject: one.state for subject, one in said.items()} == {
        "marketing/email": ConsentStatus.WITHDRAWN,
        "research/email": ConsentStatus.GIVEN,
    }


def test_lifecycle_rises_from_visitor_to_lead_to_customer() -> None:
    viewed: tuple[str, str, Any] = ("Product Viewed", "browse", {})
    visitor = interaction("m", viewed, [("anonymous_id", "an-1")])
    assert record(visitor).lifecycle is Lifecycle.VISITOR
    assert record(interaction("m", viewed, [("email", "e@example.com")])).lifecycle is Lifecycle.LEAD
    bought = interaction("m", ("Order Completed", "order", {}), [("anonymous_id", "an-1")])
    assert record(visitor, bought).lifecycle is Lifecycle.CUSTOMER


def test_identities_are_united_strongest_first() -> None:
    seen = record(
        interaction("m", ("A", "generic", {}), [("user_id", "u-1"), ("anonymous_id", "an-1")]),
        interaction("m", ("A", "generic", {}), [("user_id", "u-1"), ("email", "e@example.com")]),
    ).identities
    assert [identity.kind for identity in seen] == ["user_id", "email", "anonymous_id"]


def test_an_id_with_two_values_does_not_depend_on_which_came_first() -> None:
    one = interaction("m", ("A", "generic", {}), [("user_id", "u-1")])
    other = msgspec.structs.replace(one, identities=(msgspec.structs.replace(one.identities[0], value="u-0"),))
    assert folded(one, other).identities == folded(other, one).identities


def test_folding_into_a_copy_leaves_the_original_as_it_was() -> None:
    before = folded(order("1"), trait("Wien"), consent("Consent Given"))
    kept = msgspec.msgpack.encode(before)
    copy = own(before)
    for event in (
        order("2"),
        trait("Graz", 1),
        consent("Consent Withdrawn", 1),
        interaction("n", ("A", "x", {}), [("user_id", "u-1"), ("email", "e")]),
    ):
        fold.apply(copy, event_of(event))
    assert msgspec.msgpack.encode(before) == kept
    assert msgspec.msgpack.encode(copy) != kept
