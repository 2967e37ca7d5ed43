"""A cause is the same thing wrong, at the same place, with the same sender."""

from services.ingest.domain.causes import CAUSE, cause_of, folded
from services.ingest.domain.problems import Problem, Reason, Stage

WRONG = Problem(Stage.PAYLOAD, Reason.WRONG_TYPE, "/properties/products/0/price", "a number", "string")
CHANGES = {
    "stage": Stage.ENVELOPE,
    "reason": Reason.NOT_A_NUMBER,
    "path": "/properties/products/0/quantity",
    "expected": "an integer",
    "found": "boolean",
}


def test_which_item_was_wrong_tells_no_cause_apart() -> None:
    elsewhere = Problem(WRONG.stage, WRONG.reason, "/properties/products/17/price", WRONG.expected, WRONG.found)
    assert cause_of("shop", WRONG, "Order Completed") == cause_of("shop", elsewhere, "Order Completed")
    assert folded("/1/22/a3/3b/4") == "/*/*/a3/3b/*"


def test_how_much_too_large_an_event_is_tells_no_cause_apart() -> None:
    one, other = (
        Problem(Stage.LIMITS, Reason.TOO_LARGE, "", "at most 32768 bytes an event", f"{size} bytes")
        for size in (40_000, 50_001)
    )
    assert cause_of("shop", one, None) == cause_of("shop", other, None)


def test_everything_else_does() -> None:
    first = cause_of("shop", WRONG, "Order Completed")
    others = {
        cause_of("till", WRONG, "Order Completed"),
        cause_of("shop", WRONG, "Order Updated"),
        cause_of("shop", WRONG, None),
    }
    for member, value in CHANGES.items():
        said = {name: getattr(WRONG, name) for name in CHANGES}
        others.add(cause_of("shop", Problem(**{**said, member: value}), "Order Completed"))
    assert len(others) == 3 + len(CHANGES)
    assert first not in others


def test_a_cause_has_the_same_name_for_ever() -> None:
    assert cause_of("shop", WRONG, "Order Completed") == "0872e40789e0"
    assert CAUSE.fullmatch(cause_of("", WRONG, None))
