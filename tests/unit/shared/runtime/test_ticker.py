from datetime import UTC, datetime

from shared.runtime.intake import Position
from shared.runtime.ticker import Horizon

AT = datetime(2026, 11, 22, tzinfo=UTC)
HORIZON = Horizon(AT, {("a", 0): 5, ("b", 0): 2})


def test_an_instant_waits_until_everything_before_it_is_read() -> None:
    assert not HORIZON.reached({("a", 0): Position(5), ("b", 0): Position(1)})
    assert not HORIZON.reached({("a", 0): Position(4), ("b", 0): Position(2)})


def test_an_instant_fires_once_its_inputs_are_read_to_where_they_ended() -> None:
    assert HORIZON.reached({("a", 0): Position(5), ("b", 0): Position(2)})
    assert HORIZON.reached({("a", 0): Position(9), ("b", 0): Position(9)})


def test_an_input_whose_position_is_not_known_holds_the_instant_back() -> None:
    assert not HORIZON.reached({("a", 0): Position(5)})
