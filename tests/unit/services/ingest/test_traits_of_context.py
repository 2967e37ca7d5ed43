"""Traits of an identify call that stand in its context, as RudderStack's SDK for Python sends them."""

from typing import Any

import pytest

from tests.unit.services.ingest.records import accepted, payload, verdict

CALL = {"type": "identify", "userId": "u-17", "messageId": "m-1"}


@pytest.mark.parametrize(
    ("said", "traits"),
    [
        ({"context": {"traits": {"plan": "pro"}}}, {"plan": "pro"}),
        ({"context": {"traits": None}}, {}),
        ({"context": {}}, {}),
        ({"context": None}, {}),
        ({"traits": {}, "context": {"traits": {"plan": "pro"}}}, {}),
        ({"traits": {"plan": "free"}, "context": {"traits": {"plan": "pro"}}}, {"plan": "free"}),
    ],
)
def test_traits_of_the_context_count_when_the_call_has_none_of_its_own(said: dict[str, Any], traits: Any) -> None:
    assert payload(accepted({**CALL, **said})) == {"traits": traits}


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"traits": []}, ("payload", "wrong_type", "/context/traits")),
        ({"traits": {"a": "\u0000"}}, ("payload", "bad_character", "/context/traits")),
        ("web", ("envelope", "wrong_type", "/context")),
    ],
)
def test_what_is_wrong_with_them_is_told_with_where_they_stand(context: Any, expected: tuple[str, str, str]) -> None:
    assert verdict({**CALL, "context": context}) == expected
