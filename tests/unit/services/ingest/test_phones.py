"""A number has one form, and some numbers are nobody's."""

import pytest

from services.ingest.domain.phones import e164, is_nobodys

VIENNA = "+43158858123"


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("+43 1 58858-123", None, VIENNA),
        ("+43 (0)1 58858123", None, VIENNA),
        ("0043 1 58858123", None, VIENNA),
        ("0043 1 58858123", "DE", VIENNA),
        ("01 58858123", "AT", VIENNA),
        ("+43158858123", "US", VIENNA),
        ("tel:+43-1-58858123", None, VIENNA),
        ("(650) 253-0000", "US", "+16502530000"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("01 58858123", None, None),
        ("01 58858123", "XX", None),
        ("0158858123 ext. 7", "AT", None),
        ("+43 1", None, None),
        ("+1 555 0100", None, None),
        ("+999 123456789", None, None),
        ("58858", "US", None),
        ("", "AT", None),
        ("eva", "AT", None),
        ("+43" + "1" * 40, None, None),
    ],
)
def test_a_number_has_one_form_or_is_none(text: str, region: str | None, expected: str | None) -> None:
    assert e164(text, region) == expected


@pytest.mark.parametrize("text", ["0000000000", "111-111-1111", "+99 99 999"])
def test_a_number_of_one_digit_is_nobodys(text: str) -> None:
    assert is_nobodys(text)


@pytest.mark.parametrize("text", [VIENNA, "5", "", "call me"])
def test_any_other_is_not(text: str) -> None:
    assert not is_nobodys(text)
