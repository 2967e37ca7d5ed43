"""Laws of the codec and of money: nothing is lost on the wire, and equal is equal in any order."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.codec import MalformedMessageError, canonical, decode, encode
from shared.contracts.customers import CustomerRecord, Trait
from shared.contracts.interactions import Activity, Interaction
from shared.contracts.money import Money, plain, sums, totals

AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=4)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | AMOUNTS | st.text(max_size=8)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


def reversed_objects(value: Any) -> Any:
    """Turn the order of every object's members around."""
    match value:
        case dict():
            return {name: reversed_objects(value[name]) for name in reversed(value)}
        case list():
            return [reversed_objects(item) for item in value]
        case _:
            return value


@given(VALUES)
def test_canonical_bytes_do_not_depend_on_the_order_of_members(value: Any) -> None:
    assert canonical(value) == canonical(reversed_objects(value))


@given(VALUES)
def test_canonical_bytes_lose_nothing(value: Any) -> None:
    again = msgspec.json.Decoder(Any, float_hook=Decimal).decode(canonical(value))
    assert again == value
    assert canonical(again) == canonical(value)


@given(VALUES)
def test_a_trait_comes_back_as_it_was(value: Any) -> None:
    wrapped = encode({"value": value, "source": "s", "at": "2026-11-22T09:30:01Z"})
    assert encode(decode(Trait, wrapped)) == wrapped


@given(st.binary(max_size=60) | VALUES.map(encode), st.sampled_from([Interaction, Activity, CustomerRecord]))
def test_any_bytes_are_a_message_or_a_refusal(data: bytes, kind: type[msgspec.Struct]) -> None:
    with suppress(MalformedMessageError):
        found = decode(kind, data)
        assert decode(kind, encode(found)) == found


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1E+20"), max_value=Decimal("1E+20")))
def test_plain_text_is_the_same_amount_without_an_exponent(amount: Decimal) -> None:
    text = plain(amount)
    assert "E" not in text
    assert Decimal(text) == amount


@given(
    st.lists(st.builds(Money, AMOUNTS.map(plain), st.sampled_from(["EUR", "USD", "JPY"])), max_size=10), st.randoms()
)
def test_totals_do_not_depend_on_the_order(moneys: list[Money], random: Any) -> None:
    shuffled = random.sample(moneys, len(moneys))
    assert totals(sums(shuffled)) == totals(sums(moneys))
