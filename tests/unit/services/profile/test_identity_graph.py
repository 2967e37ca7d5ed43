"""Who is one person, case by case: limits, shared devices, decisions of people, and attacks that must stay small."""

from datetime import UTC, datetime, timedelta

import pytest

from services.profile.domain.graph import Dropped, Why, seniority
from services.profile.domain.identity_rules import DeviceFollows, IdentityRules
from services.profile.domain.links import Block, Cause, Mark, Node, SignIn, Verdict, Word, decided, edge, signing_in
from services.profile.domain.naming import customer_id, elder
from services.profile.domain.sighting import Refused, Unchanged, United, Untangle
from tests.unit.services.profile.identity_book import IdentityBook, everything

START = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = {"u": "user_id", "e": "email", "p": "phone", "d": "anonymous_id"}
ONE_EACH = {"user_id": 1, "email": 1, "phone": 1, "anonymous_id": 50, "others": 5}


def at(minute: int, message_id: str = "m") -> Mark:
    return Mark(START + timedelta(minutes=minute), message_id)


def book(rules: IdentityRules | None = None, *events: tuple[int, str]) -> IdentityBook:
    """Take events, each a minute and the names of identities, strongest first."""
    made = IdentityBook(rules or IdentityRules())
    for minute, names in events:
        take(made, minute, names)
    return made


def take(into: IdentityBook, minute: int, names: str, cause: Cause = Cause.EVENT) -> list[object]:
    first, *others = names.split()
    for name in (first, *others):
        into.meet(Node(name, KINDS[name[0]], at(minute).at))
    return [into.take(edge(first, other, at(minute), cause)) for other in others]


def together(into: IdentityBook) -> list[str]:
    return sorted(" ".join(sorted(members)) for members in into.groups())


def dropped(into: IdentityBook) -> tuple[Dropped, ...]:
    return everything(into.nodes, into.links, into.rules).dropped


def test_identities_that_events_name_together_are_one_person() -> None:
    one = book(None, (1, "e1 d1"), (2, "u1 d1"), (3, "u1 p1"))
    assert together(one) == ["d1 e1 p1 u1"]
    assert dropped(one) == ()


def test_an_alias_is_held_by_the_same_limits() -> None:
    one = book()
    assert isinstance(take(one, 1, "u1 d1", Cause.ALIAS)[0], United)
    assert isinstance(take(one, 2, "u2 u1", Cause.ALIAS)[0], Refused)
    assert together(one) == ["d1 u1", "u2"]


def test_over_a_limit_the_weaker_identifier_is_left_out_and_nobody_is_merged() -> None:
    one = book(IdentityRules(limits=ONE_EACH), (1, "u1 e1 p1"))
    refused, united = take(one, 2, "u2 e1 p2")
    assert refused == Refused("user_id", (at(2), (1, "email", "e1"), (0, "user_id", "u2")))
    assert isinstance(united, United)
    assert together(one) == ["e1 p1 u1", "p2 u2"]
    assert dropped(one) == (Dropped(("e1", "u2"), Why.OVER_LIMIT, "user_id"),)


def test_a_late_event_takes_the_address_from_who_claimed_it_later() -> None:
    one = book(None, (5, "u1 e1"), (6, "u1 d1"))
    assert isinstance(take(one, 3, "u2 e1")[0], Untangle)
    assert together(one) == ["d1 u1", "e1 u2"]
    assert dropped(one) == (Dropped(("e1", "u1"), Why.OVER_LIMIT, "user_id"),)


def test_an_earlier_event_of_a_known_pair_moves_its_turn() -> None:
    one = book(None, (5, "u1 e1"), (4, "u2 e1"))
    assert together(one) == ["e1 u2", "u1"]
    assert isinstance(take(one, 3, "u1 e1")[0], Untangle)
    assert together(one) == ["e1 u1", "u2"]
    assert one.links["e1", "u1"].last == at(5)


def test_a_device_follows_the_last_who_signed_in_with_what_it_did() -> None:
    one = book(None, (1, "u1 d1"), (2, "u2 d1"))
    assert together(one) == ["d1 u2", "u1"]
    take(one, 3, "u1 d1")
    assert together(one) == ["d1 u1", "u2"]
    take(one, 2, "u2 d1")
    assert together(one) == ["d1 u1", "u2"]
    assert dropped(one) == (Dropped(("d1", "u2"), Why.OTHER_SIGNED_IN),)


def test_a_shared_device_is_nobodys_where_visits_stay_apart() -> None:
    rules = IdentityRules(device_follows=DeviceFollows.VISIT)
    one = book(rules, (1, "u1 d1"), (2, "e1 d1"))
    assert together(one) == ["d1 e1 u1"]
    take(one, 3, "u2 d1")
    assert together(one) == ["d1 e1", "u1", "u2"]
    assert {each.why for each in dropped(one)} == {Why.SHARED_DEVICE}


def test_two_families_on_one_tablet_stay_two_families() -> None:
    one = book(None, (0, "u1 e1 d2"), (0, "u2 e2 d3"))
    for evening in range(1, 40):
        take(one, evening, "u1 d1" if evening % 2 else "u2 d1")
        assert together(one) == (["d1 d2 e1 u1", "d3 e2 u2"] if evening % 2 else ["d1 d3 e2 u2", "d2 e1 u1"])
    assert one.read < 40 * 12


def test_a_blocked_identity_stands_alone_until_it_is_unblocked() -> None:
    one = book(None, (1, "u1 e1"), (2, "e1 d1"))
    one.block("e1", Block(at(9), blocked=True))
    assert together(one) == ["d1", "e1", "u1"]
    one.block("e1", Block(at(8), blocked=False))
    assert together(one) == ["d1", "e1", "u1"]
    one.block("e1", Block(at(10), blocked=False))
    assert together(one) == ["d1 e1 u1"]


def test_a_value_that_stands_for_nobody_links_nobody() -> None:
    one = IdentityBook(IdentityRules())
    one.meet(Node("e1", "email", START, stands_for_nobody=True))
    take(one, 1, "u1 e1")
    assert together(one) == ["e1", "u1"]
    assert dropped(one) == (Dropped(("e1", "u1"), Why.BLOCKED),)


def test_people_may_merge_over_a_limit_and_take_it_back() -> None:
    one = book(None, (1, "u1 d1"), (2, "u2 d2"))
    one.decide("u1", "u2", Word(at(9, "w1"), Verdict.TOGETHER))
    assert together(one) == ["d1 d2 u1 u2"]
    take(one, 10, "u1 p1")
    take(one, 11, "u3 p1")
    assert together(one) == ["d1 d2 p1 u1 u2", "u3"]
    one.decide("u2", "u1", Word(at(12, "w2"), Verdict.FREE))
    assert together(one) == ["d1 p1 u1", "d2 u2", "u3"]


def test_what_people_keep_apart_no_later_event_joins() -> None:
    one = book(None, (1, "u1 e1"))
    one.decide("u1", "e1", Word(at(2, "w"), Verdict.APART))
    assert isinstance(take(one, 9, "u1 e1")[0], Unchanged)
    assert together(one) == ["e1", "u1"]
    assert dropped(one) == (Dropped(("e1", "u1"), Why.KEPT_APART),)


def test_of_two_decisions_at_one_mark_the_one_that_keeps_apart_counts() -> None:
    words = [Word(at(1), verdict) for verdict in Verdict]
    for first, then in ((0, 1), (1, 0), (1, 2), (2, 1)):
        link = decided(decided(None, ("a", "b"), words[first]), ("a", "b"), words[then])
        assert link.word == words[1]


def test_in_a_customer_that_people_made_too_large_a_late_link_still_counts_in_its_turn() -> None:
    one = book(IdentityRules(limits=ONE_EACH), (2, "u1 e1"), (3, "u2 e2"))
    one.decide("u1", "u2", Word(at(9), Verdict.TOGETHER))
    assert together(one) == ["e1 e2 u1 u2"]
    assert isinstance(take(one, 1, "u2 e1")[0], Untangle)
    assert together(one) == ["e1 u1 u2", "e2"]


def test_a_customer_is_named_after_the_strongest_then_the_first_seen_of_its_identities() -> None:
    rules = IdentityRules()
    one = book(rules, (3, "e1 d1"), (2, "e2 d1"), (4, "e2"))
    component = everything(one.nodes, one.links, rules).components[0]
    assert customer_id(component) == "e2"
    assert elder(one.nodes["e1"], one.nodes["d1"], rules).id == "e1"
    assert sorted(one.nodes, key=lambda name: seniority(one.nodes[name], rules)) == ["e2", "e1", "d1"]


def test_a_sign_in_is_known_whatever_the_order() -> None:
    marks = [("u2", at(2)), ("u1", at(5)), ("u3", at(1))]
    expected = SignIn(at(5), "u1", "u1", "u3")
    for rotation in range(3):
        known = None
        for person, mark in marks[rotation:] + marks[:rotation]:
            known = signing_in(known, person, mark)
        assert known == expected


@pytest.mark.parametrize("direction", [1, -1], ids=["in order", "backwards"])
@pytest.mark.parametrize("star", ["e0", "u0"])
def test_an_identifier_on_five_thousand_devices_links_none_of_them_at_a_bounded_cost(star: str, direction: int) -> None:
    devices, most = 5_000, 60
    one = IdentityBook(IdentityRules(most_partners=most))
    for number in range(devices):
        name = f"d{number}"
        take(one, direction * number, f"{star} {name}")
        assert len(one.components[one.component_of[star]]) <= 51
    assert {len(members) for members in one.groups()} == {1}
    assert {each.why for each in dropped(one)} == {Why.NOBODY}
    assert one.read < 2 * devices + most * most
    assert one.untangled <= most


def test_until_it_is_taken_apart_a_star_keeps_within_the_limit_of_its_devices() -> None:
    one = book(None, *((number, f"e0 d{number}") for number in range(100)))
    assert max(map(len, one.groups())) == 51
    assert len(dropped(one)) == 50


def test_ten_thousand_identities_of_one_customer_cost_an_event_two_rows() -> None:
    limits = {**ONE_EACH, "anonymous_id": 100_000}
    one = IdentityBook(IdentityRules(limits=limits, most_partners=100_000))
    for number in range(10_000):
        take(one, (number * 7919) % 10_007, f"u0 d{number}")
    before = one.read
    take(one, 5, "u0 d17")
    take(one, -5, "u0 d10000")
    assert one.read - before == 4
    assert max(map(len, one.groups())) == 10_002
