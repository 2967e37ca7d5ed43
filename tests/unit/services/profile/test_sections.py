"""What the families of events say about a customer: totals, addresses, open cases, answers, owner, account, stage."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.profile.domain import notes
from services.profile.domain.account import account_of, join, record_of
from services.profile.domain.effects import UnreadablePayloadError
from services.profile.domain.event import event_of
from services.profile.domain.fold import apply, begin
from services.profile.domain.lifecycle import Stage, stage_of
from services.profile.domain.record import portray, render
from services.profile.domain.record import record_of as customer_record
from services.profile.domain.state import State, dump, load
from shared.contracts.catalogue import FAMILY_OF, family_of
from shared.contracts.codec import canonical, decode, encode
from shared.contracts.customers import Answer, Case, CustomerRecord, CustomerRedirect, Lifecycle
from shared.contracts.interactions import Interaction
from shared.contracts.money import Money
from tests.property.services.profile.strategies import START, interaction

EVA = (("user_id", "u-1"), ("email", "eva@example.com"))


def at(minutes: int, name: str, payload: Any = None, identities: Any = EVA) -> Interaction:
    moment = START + timedelta(minutes=minutes)
    said = (name, str(family_of(name)), payload or {})
    return interaction(f"{minutes}-{name}", said, identities, occurred_at=moment, received_at=moment)


def record(*events: Interaction) -> CustomerRecord:
    state = begin(events[0].occurred_at)
    for event in events:
        apply(state, event_of(event))
    drawn = customer_record("c", state)
    assert render("c", state, portray(state, None)) == canonical(drawn)
    read: CustomerRecord = decode(CustomerRecord, canonical(drawn))
    assert canonical(read) == canonical(drawn)
    return drawn


def test_each_thing_is_counted_with_its_first_and_last() -> None:
    totals = record(at(3, "Page Viewed"), at(1, "Screen Viewed"), at(2, "Call Logged"), at(9, "Meeting Held")).totals
    assert {name: total.count for name, total in totals.items()} == {"visits": 2, "calls": 1, "meetings": 1}
    assert (totals["visits"].first_at, totals["visits"].last_at) == (
        START + timedelta(minutes=1),
        START + timedelta(minutes=3),
    )


def test_refunds_add_up_by_currency_beside_the_orders() -> None:
    euros = {"total": {"amount": "5.25", "currency": "EUR"}}
    refunds = record(at(1, "Order Refunded", euros), at(2, "Order Refunded", euros), at(3, "Order Refunded")).totals
    assert refunds["refunds"].count == 3
    assert refunds["refunds"].amount == (Money("10.50", "EUR"),)


def test_a_refund_of_no_amount_is_refused() -> None:
    with pytest.raises(UnreadablePayloadError, match=r"\$\.payload\.total\.amount"):
        event_of(at(1, "Order Refunded", {"total": {"amount": "1e9", "currency": "EUR"}}))
    with pytest.raises(UnreadablePayloadError):
        event_of(at(1, "Deal Won", {"deal_id": "d", "amount": {"amount": "much", "currency": "EUR"}}))
    with pytest.raises(UnreadablePayloadError):
        event_of(at(1, "Ticket Opened", {}))


@pytest.mark.parametrize(
    ("events", "state", "minute"),
    [
        ([at(1, "Page Viewed")], "unverified", None),
        ([at(1, "Email Delivered")], "verified", 1),
        ([at(1, "Email Delivered"), at(2, "Email Bounced", {"bounce_type": "hard"})], "bounced", 2),
        ([at(3, "Email Opened"), at(2, "Email Bounced")], "verified", 3),
        ([at(1, "Email Delivered"), at(2, "Email Bounced", {"bounce_type": "Soft"})], "verified", 1),
        ([at(1, "Email Marked as Spam"), at(2, "Email Link Clicked")], "complained", 1),
        ([at(1, "Email Bounced", {"bounce_type": "suppressed"}), at(2, "Email Marked as Spam")], "suppressed", 1),
    ],
)
def test_an_address_is_as_good_as_what_happened_to_mail(
    events: list[Interaction], state: str, minute: int | None
) -> None:
    for order in (events, events[::-1]):
        (address,) = record(*order).addresses
        assert (address.channel, address.value, address.state) == ("email", "eva@example.com", state)
        assert address.at == (None if minute is None else START + timedelta(minutes=minute))


def test_what_happens_to_mail_to_one_address_says_nothing_about_another() -> None:
    both = record(at(1, "Email Bounced"), at(2, "Identify", {"traits": {}}, [*EVA, ("email", "e@example.org")]))
    assert {one.value: one.state for one in both.addresses} == {
        "eva@example.com": "bounced",
        "e@example.org": "unverified",
    }


def test_a_ticket_is_open_until_it_is_resolved_whatever_came_first() -> None:
    opened, resolved = (
        at(1, "Ticket Opened", {"ticket_id": "t", "subject": "Help"}),
        at(2, "Ticket Resolved", {"ticket_id": "t"}),
    )
    expected = Case("t", "opened", START + timedelta(minutes=1), "Help")
    assert record(opened).open_tickets == (expected,)
    assert record(resolved, opened).open_tickets == record(opened, resolved).open_tickets == ()
    again = at(3, "Ticket Reopened", {"ticket_id": "t"})
    assert [case.status for case in record(again, opened, resolved).open_tickets] == ["reopened"]


def test_an_open_deal_has_its_stage_and_the_last_amount_that_was_named() -> None:
    money = {"amount": "900", "currency": "EUR"}
    deal = [
        at(1, "Deal Stage Changed", {"deal_id": "d", "stage": "demo", "amount": money, "owner_id": "o-1"}),
        at(2, "Deal Stage Changed", {"deal_id": "d", "stage": "offer", "name": "Roof"}),
    ]
    found = record(*deal)
    assert found.open_deals == (Case("d", "offer", START + timedelta(minutes=2), "Roof", Money("900", "EUR")),)
    assert found.lifecycle is Lifecycle.OPPORTUNITY
    assert found.owner is not None
    assert found.owner.id == "o-1"
    won = record(*deal, at(3, "Deal Won", {"deal_id": "d", "owner_id": "o-2"}))
    assert (won.open_deals, won.lifecycle, won.totals["deals_won"].count) == ((), Lifecycle.CUSTOMER, 1)
    assert won.owner is not None
    assert won.owner.id == "o-2"


def test_the_last_answer_to_each_survey_stands_beside_how_many_there_were() -> None:
    nps = {"metric": "nps", "scale": 10}
    answers = record(
        at(2, "Survey Answered", {**nps, "score": 9}), at(1, "Survey Answered", {**nps, "score": 3})
    ).answers
    assert answers == {"nps": Answer(2, 9, 10, START + timedelta(minutes=2))}


def test_a_complaint_is_open_until_it_is_closed() -> None:
    opened = at(1, "Complaint Opened", {"complaint_id": "c"})
    assert [case.id for case in record(opened).open_complaints] == ["c"]
    assert record(opened, at(2, "Complaint Closed", {"complaint_id": "c"})).open_complaints == ()


def test_a_customer_belongs_to_the_account_joined_last() -> None:
    found = record(at(2, "Group Joined", {"group_id": "g-2"}), at(1, "Group Joined", {"group_id": "g-1"}))
    assert found.account is not None
    assert found.account.id == "g-2"


def test_an_account_has_a_record_of_its_own_that_joins_in_any_order() -> None:
    events = [
        at(1, "Group Joined", {"group_id": "g", "name": "Acme", "plan": "trial"}),
        at(2, "Group Joined", {"group_id": "g", "plan": "pro", "description": "x" * 3000}),
    ]
    states = []
    for event in events:
        said = account_of(event_of(event))
        assert said is not None
        assert said[0] == "g"
        states.append(said[1])
    assert join(*states) == join(*states[::-1]) == join(join(*states), states[0])
    found = record_of("g", join(*states))
    assert {name: bytes(trait.value) for name, trait in found.traits.items()} == {"name": b'"Acme"', "plan": b'"pro"'}
    assert account_of(event_of(at(1, "Page Viewed"))) is None


def test_a_stage_is_reached_by_one_of_its_signs() -> None:
    stages = (Stage(Lifecycle.LEAD, {"visits": 2, "open_tickets": 1}), Stage(Lifecycle.VISITOR, {}))
    state = begin(START)
    for minute in (1, 2):
        assert stage_of(state, {}, stages) is Lifecycle.VISITOR
        apply(state, event_of(at(minute, "Page Viewed")))
    assert stage_of(state, {}, stages) is Lifecycle.LEAD
    assert stage_of(begin(START), {"tickets": 1}, stages) is Lifecycle.LEAD
    qualified = at(1, "Lead Qualified", identities=[("anonymous_id", "a")])
    assert record(qualified).lifecycle is Lifecycle.QUALIFIED


def test_every_name_of_the_catalogue_is_counted_under_a_name_that_rules_may_use() -> None:
    silent = {
        "Order Updated",
        "Account Created",
        "Account Deleted",
        "Trial Ended",
        "Marketing Spend Recorded",
        "Identify",
        "Alias Requested",
        "Order Completed",
        "Consent Given",
        "Consent Withdrawn",
        "Unsubscribed",
    }
    assert set(FAMILY_OF) - silent == set(notes.READERS)
    payload = encode(
        {
            "ticket_id": "1",
            "complaint_id": "1",
            "deal_id": "1",
            "group_id": "1",
            "metric": "ces",
            "score": 1,
            "scale": 7,
        }
    )
    counted = {notes.READERS[name](msgspec.Raw(payload)).tally for name in notes.READERS} - {None}
    assert counted | {"nps", "csat"} == notes.TALLIES


def test_a_state_that_was_stored_before_there_were_totals_is_read() -> None:
    class Before(msgspec.Struct, array_like=True):
        first_at: Any
        last_at: Any
        identities: dict[str, Any] = {}
        order_count: int = 0

    state = load(msgspec.msgpack.encode(Before(START, START, {}, 2)))
    assert state == State(START, START, order_count=2)
    assert load(dump(state)) == state


def test_what_did_not_change_is_not_drawn_again() -> None:
    state = begin(START)
    apply(state, event_of(at(1, "Ticket Opened", {"ticket_id": "t"})))
    before = portray(state, None)
    apply(state, event_of(at(2, "Order Completed")))
    assert portray(state, before) is before
    apply(state, event_of(at(3, "Page Viewed")))
    after = portray(state, before)
    assert after.identities is before.identities
    assert after.addresses is before.addresses
    assert after.totals is not before.totals
    assert render("c", state, after) == render("c", state, portray(state, None))


def test_a_redirect_says_whose_an_id_is_now() -> None:
    redirect = CustomerRedirect(customer_id="a", redirect_to="b", memberships={"a": 2})
    assert decode(CustomerRedirect, encode(redirect)) == redirect
