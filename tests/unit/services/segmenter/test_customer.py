from datetime import UTC, datetime

from services.segmenter.domain.customer import UNKNOWN, Customer, with_event, with_record
from services.segmenter.domain.horizon import horizon
from services.segmenter.domain.instants import NEVER, instant
from services.segmenter.domain.predicate import compiled
from services.segmenter.domain.rules import Count
from services.segmenter.domain.tallies import KEPT_TIMES, Tally
from services.segmenter.domain.windows import DAY, SECOND
from shared.contracts.envelope import Order

NOW = instant(datetime(2026, 11, 22, 9, 30, tzinfo=UTC))


def customer_of(*times: int) -> Customer:
    customer = UNKNOWN
    for at in times:
        customer = with_event(customer, "View", at, 1, NOW)
    return customer


def views(operator: str, value: int, within: str | None = None) -> Count:
    return Count.model_validate({"count": "View", "operator": operator, "value": value, "within": within})


def test_a_hot_customer_keeps_ten_thousand_times_and_an_exact_count() -> None:
    times = list(range(NOW - 12_000, NOW))
    customer = customer_of(*times)
    assert list(customer.tallies["View"].instants()) == times[-KEPT_TIMES:]
    assert compiled(views("==", 12_000))(customer, NOW)
    assert compiled(views(">", 9_999, "1 second"))(customer, NOW)
    assert not compiled(views("==", 9_999, "1 second"))(customer, NOW)


def test_times_ahead_of_us_do_not_push_present_ones_out() -> None:
    customer = customer_of(NOW - 1, *(NOW + tick for tick in range(1, KEPT_TIMES + 1)))
    assert compiled(views("==", 1, "1 second"))(customer, NOW)


def test_an_event_that_is_as_old_as_the_longest_window_is_only_counted() -> None:
    customer = customer_of(NOW - 400 * DAY)
    assert customer.tallies["View"] == Tally(1, b"")
    assert compiled(views("==", 1))(customer, NOW)
    assert compiled(views("==", 0, "400 days"))(customer, NOW)


def test_an_event_exactly_a_window_old_is_out() -> None:
    judge = compiled(views(">=", 1, "5 seconds"))
    customer = customer_of(NOW)
    assert judge(customer, NOW + 5 * SECOND - 1)
    assert not judge(customer, NOW + 5 * SECOND)
    assert horizon(views(">=", 1, "5 seconds"))(customer, NOW) == (True, NOW + 5 * SECOND)


def test_no_clock_is_set_for_what_only_events_can_change() -> None:
    customer = customer_of(NOW)
    assert horizon(views(">=", 2, "5 seconds"))(customer, NOW) == (False, NEVER)
    assert horizon(views(">=", 1))(customer, NOW) == (True, NEVER)


def test_a_record_that_is_not_later_is_not_taken_over() -> None:
    customer = with_record(UNKNOWN, Order(1, 5), b"[]")
    assert customer is not None
    assert with_record(customer, Order(1, 5), b"{}") is None
    assert with_record(customer, Order(1, 4), b"{}") is None
    assert with_record(customer, Order(2, 1), b"{}") is not None
