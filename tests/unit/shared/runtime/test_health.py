import json
from dataclasses import dataclass

import pytest

from shared.runtime.health import Failed, Health, Passed, kafka_answers, lag_shrinks, loop_moves


@dataclass
class Monotonic:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def ready(clock: Monotonic) -> Health:
    health = Health(clock=clock)
    health.satisfied("joined")
    health.satisfied("claims")
    health.kafka_answered()
    return health


def test_a_process_lives_while_its_loop_moves() -> None:
    clock = Monotonic()
    health = Health(clock=clock)
    clock.now += 59
    assert health.liveness().status_code == 200
    health.moved()
    clock.now += 59
    assert health.liveness().ok
    clock.now += 1
    assert health.liveness().status_code == 503


def test_a_dead_broker_makes_a_process_unready_and_leaves_it_alive() -> None:
    clock = Monotonic()
    health = ready(clock)
    assert health.readiness().ok
    clock.now += 30
    health.moved()
    assert health.liveness().ok
    assert Failed("kafka", "kafka has not answered for 30 s") in health.readiness().checks


def test_a_process_is_not_ready_before_all_is_in_place() -> None:
    health = Health(clock=Monotonic())
    reasons = {check.name for check in health.readiness().checks if isinstance(check, Failed)}
    assert reasons == {"joined", "claims", "kafka"}


def test_a_condition_that_is_lost_makes_a_process_unready_again() -> None:
    health = ready(Monotonic())
    health.unsatisfied("claims", "fenced, joining again")
    assert Failed("claims", "fenced, joining again") in health.readiness().checks
    health.satisfied("claims")
    assert health.readiness().ok


@pytest.mark.parametrize(
    ("samples", "passes"),
    [
        ([], True),
        ([10, 20, 30, 40, 50], True),
        ([10, 20, 30, 40, 50, 60], False),
        ([10, 20, 30, 25, 50, 60], True),
        ([60, 50, 40, 30, 20, 10], True),
        ([40, 40, 40, 40, 40, 40], True),
        ([1, 2, 3, 4, 5, 6], True),
    ],
)
def test_only_a_lag_that_keeps_growing_to_something_counts(samples: list[float], *, passes: bool) -> None:
    assert isinstance(lag_shrinks(samples), Passed) is passes


def test_a_growing_lag_makes_a_process_unready_until_it_shrinks() -> None:
    health = ready(Monotonic())
    for seconds in (10, 30, 50, 70, 90, 110):
        health.lag_seen(seconds)
    assert not health.readiness().ok
    health.lag_seen(100)
    assert health.readiness().ok


def test_the_limits_are_named_in_the_reasons() -> None:
    assert loop_moves(61) == Failed("loop", "the loop has not moved for 61 s")
    assert kafka_answers(None) == Failed("kafka", "kafka has not answered yet")


def test_a_report_is_json_with_status_and_checks() -> None:
    health = ready(Monotonic())
    health.unsatisfied("joined", "left")
    rendered = json.loads(health.readiness().to_json())
    assert rendered["status"] == "unavailable"
    assert {"name": "joined", "status": "unavailable", "reason": "left"} in rendered["checks"]
    assert {"name": "claims", "status": "ok"} in rendered["checks"]
    assert json.loads(health.liveness().to_json()) == {"status": "ok", "checks": [{"name": "loop", "status": "ok"}]}
