"""What events amount to."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.metrics.domain.events import (
    ActivitySeen,
    CustomerSeen,
    Erased,
    Membership,
    MessageReached,
    OrderTotal,
    SegmentChanged,
)
from services.metrics.domain.facts import Facts, FirstDays, OrderSum, combine, earliest_two, facts_of
from services.metrics.domain.kpis import KPIS, MONTH, Unit, kpi
from services.metrics.domain.months import day_of, first_of_month, month_text, parse_month

EVA, TOM = b"e" * 16, b"t" * 16


def day(year: int, month: int, number: int) -> int:
    return day_of(datetime(year, month, number, 23, 59, 59, tzinfo=UTC))


def ordered(who: bytes, on: int, amount: str, currency: str = "EUR") -> ActivitySeen:
    return ActivitySeen(who, on, OrderTotal(currency, Decimal(amount)))


def test_orders_of_a_day_add_up_by_currency() -> None:
    on = day(2026, 11, 22)
    facts = facts_of([ordered(EVA, on, "35.50"), ordered(EVA, on, "0.05"), ordered(EVA, on, "7", "USD")])
    assert facts.orders == {
        (EVA, on, "EUR"): OrderSum(2, Decimal("35.55")),
        (EVA, on, "USD"): OrderSum(1, Decimal(7)),
    }


def test_money_is_never_rounded() -> None:
    on = day(2026, 11, 22)
    facts = facts_of([ordered(EVA, on, "9" * 30), ordered(EVA, on, "0." + "0" * 29 + "1")])
    assert facts.orders[EVA, on, "EUR"].revenue == Decimal("9" * 30 + "." + "0" * 29 + "1")


def test_two_orders_on_one_day_make_a_repeat_customer_on_that_day() -> None:
    on = day(2026, 11, 22)
    assert facts_of([ordered(EVA, on, "1"), ordered(EVA, on, "1")]).first_days == {EVA: FirstDays(on, on)}


def test_a_late_order_moves_the_first_day_back() -> None:
    days = earliest_two(FirstDays(day(2026, 3, 1), day(2026, 5, 1)), FirstDays(day(2026, 1, 1)))
    assert days == FirstDays(day(2026, 1, 1), day(2026, 3, 1))


def test_of_two_memberships_the_greater_is_believed_whichever_came_first() -> None:
    to_eva, back = Membership(TOM, EVA, 2), Membership(TOM, TOM, 3)
    for told in ([to_eva, back], [back, to_eva]):
        facts = facts_of([CustomerSeen(one.customer, (1, 1), "lead", (one,)) for one in told])
        assert facts.memberships == {TOM: (3, TOM), EVA: (0, EVA)}


def test_every_activity_counts_in_its_month() -> None:
    facts = facts_of([ActivitySeen(EVA, day(2026, 11, 1), None), ordered(EVA, day(2026, 11, 30), "1")])
    assert facts.activities == {(EVA, day(2026, 11, 1)): 2}


def test_the_later_state_of_a_message_wins_by_its_place_in_the_log_not_by_arrival() -> None:
    planned = MessageReached("k", (1, 9), "c", "email", "planned", 0, None)
    accepted = MessageReached("k", (1, 10), "c", "email", "accepted", 0, None)
    assert facts_of([accepted, planned]).messages == {"k": accepted}


def test_a_higher_incarnation_is_later_whatever_the_sequence() -> None:
    before = MessageReached("k", (1, 10), "c", "email", "accepted", 0, None)
    after = MessageReached("k", (2, 3), "c", "email", "failed", 0, None)
    assert facts_of([after, before]).messages == {"k": after}


def test_the_greatest_version_of_a_customer_wins() -> None:
    newest = CustomerSeen(EVA, (1, 3), "customer")
    assert facts_of([newest, CustomerSeen(EVA, (1, 2), "lead")]).customers == {EVA: newest}


def test_entries_and_exits_are_counted_by_lane_segment_and_day() -> None:
    entered = SegmentChanged(0, "two-or-more", 5, "entered")
    facts = facts_of([entered, entered, SegmentChanged(1, "two-or-more", 5, "entered")])
    assert facts.changes == {(0, "two-or-more", 5, "entered"): 2, (1, "two-or-more", 5, "entered"): 1}


def test_somebody_erased_leaves_nothing() -> None:
    assert facts_of([Erased()]) == Facts()


def test_combining_changes_neither_side() -> None:
    one, other = facts_of([ordered(EVA, 1, "1")]), facts_of([ordered(EVA, 1, "2"), ordered(TOM, 1, "2")])
    combine(one, other)
    assert one == facts_of([ordered(EVA, 1, "1")])
    assert other == facts_of([ordered(EVA, 1, "2"), ordered(TOM, 1, "2")])


@pytest.mark.parametrize(
    ("on", "first"),
    [((1970, 1, 1), (1970, 1, 1)), ((2024, 2, 29), (2024, 2, 1)), ((1969, 12, 31), (1969, 12, 1))],
)
def test_a_month_begins_on_its_first_day(on: tuple[int, int, int], first: tuple[int, int, int]) -> None:
    assert first_of_month(day(*on)) == day(*first)


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "0000-01", "2026-1", "26-01", "2026-01-01", "", "\uff12\uff10\uff12\uff16-01"]
)
def test_what_is_no_month_is_not_read_as_one(text: str) -> None:
    assert parse_month(text) is None


def test_a_month_is_written_as_it_is_read() -> None:
    month = parse_month("2026-01")
    assert month is not None
    assert month_text(month) == "2026-01"


def test_every_kpi_has_a_name_of_its_own_and_says_what_it_means() -> None:
    assert len({each.name for each in KPIS}) == len(KPIS)
    assert all(each.help.endswith(".") and kpi(each.name) is each for each in KPIS)
    assert kpi("nothing") is None


def test_money_is_always_by_currency() -> None:
    assert all("currency" in each.labels for each in KPIS if each.unit is Unit.MONEY)


def test_what_is_measured_is_the_last_column_and_the_month_the_first() -> None:
    assert all(each.columns[-1] == each.value and (each.columns[0] == MONTH) is each.by_month for each in KPIS)
