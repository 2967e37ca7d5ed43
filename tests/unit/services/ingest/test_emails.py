"""An address has one form, and some addresses are nobody's."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.emails import is_nobodys, normal_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eva@example.com", "eva@example.com"),
        ("Eva.Maria+News@Shop.Example.COM", "eva.maria+news@shop.example.com"),
        ("eva@m\u00fcller.at", "eva@m\u00fcller.at"),
        ("EVA@M\u00dcLLER.at", "eva@m\u00fcller.at"),
        ("eva@xn--mller-kva.at", "eva@m\u00fcller.at"),
        ("\u00e9va@example.com", "\u00e9va@example.com"),
        ("e\u0301va@example.com", "\u00e9va@example.com"),
        ("o'neill@example.com", "o'neill@example.com"),
        ("e" * 64 + "@example.com", "e" * 64 + "@example.com"),
        ("e" * 250 + "@example.com", None),
        ("", None),
        ("eva", None),
        ("eva@", None),
        ("@example.com", None),
        ("eva@example", None),
        ("eva@@example.com", None),
        ("eva..m@example.com", None),
        (".eva@example.com", None),
        ("eva@-example.com", None),
        ("eva@example-.com", None),
        ("eva@example.1", None),
        ("eva@shop.test", None),
        ("eva@shop.local", None),
        ("eva@localhost", None),
        ("eva@127.0.0.1", None),
        ("Eva <eva@example.com>", None),
        ("eva@example.com, ada@example.com", None),
    ],
)
def test_an_address_has_one_form_or_is_none(text: str, expected: str | None) -> None:
    assert normal_address(text) == expected


_PARTS = st.text(alphabet="abz019._+-ABZ", min_size=1, max_size=12)
_DOMAINS = st.lists(st.text(alphabet="ab0-X", min_size=1, max_size=5), min_size=1, max_size=3).map(".".join)
_ENDS = st.sampled_from(["com", "at", "test", "local", "c", "x1", "COM", "invalid", "localhost"])


@given(st.builds("{}@{}.{}".format, _PARTS, _DOMAINS, _ENDS))
def test_the_quick_look_says_what_the_library_says(text: str) -> None:
    try:
        expected: str | None = validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        expected = None
    assert normal_address(text) == expected


@pytest.mark.parametrize(
    "address",
    [
        *("test@shop.at", "test1@shop.at", "test+7@shop.at", "tester@shop.at", "noreply@shop.at", "no-reply@shop.at"),
        *("unknown@shop.at", "none@none.com", "null@shop.at", "guest@shop.at", "user@example.com", "foo@bar.com"),
    ],
)
def test_an_address_that_many_fill_in_is_nobodys(address: str) -> None:
    assert is_nobodys(address)


@pytest.mark.parametrize(
    "address",
    ["eva@example.com", "testa@shop.at", "contest@shop.at", "user@shop.at", "office@test.at", "eva+test@a.at"],
)
def test_an_address_that_only_resembles_one_is_somebodys(address: str) -> None:
    assert not is_nobodys(address)
