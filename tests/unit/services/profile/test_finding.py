"""What customers are found by: whatever people type, in the spelling that everything is kept in."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.finding import LONGEST_TERM, name_of, normalised, terms_of, wanted
from services.profile.domain.state import Register, State
from shared.contracts.codec import encode

AT = datetime(2026, 1, 1, tzinfo=UTC)


def known(**traits: object) -> State:
    return State(AT, AT, traits={name: Register(AT, "m", "s", encode(value)) for name, value in traits.items()})


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("Jörg  MÜLLER", "jorg muller"),
        ("Straße", "strasse"),
        ("José\tÁlvarez\n", "jose alvarez"),
        ("Jo\u0301se", "jose"),
        ("\uff25\uff56\uff41", "eva"),
        ("a\0b\u200bc", "abc"),
        (" \0 ", ""),
        ("100%_\\", "100%_\\"),
    ],
)
def test_all_spellings_of_a_name_are_one(text: str, spelt: str) -> None:
    assert normalised(text) == spelt


@given(st.text())
def test_what_is_spelt_right_stays_as_it_is(text: str) -> None:
    spelt = normalised(text)
    assert normalised(spelt) == spelt
    assert len(spelt) <= LONGEST_TERM
    assert "\0" not in spelt


@given(st.text(min_size=1), st.sampled_from(["user_id", "email", "crm_id"]))
def test_whoever_has_an_id_is_found_by_its_beginning(value: str, kind: str) -> None:
    spelt = normalised(value)
    assert terms_of(kind, value, None) == frozenset({spelt} - {""})


@pytest.mark.parametrize("typed", ["+43 664 1234567", "0043 664 1234", "(0664) 123-45", "0664/1234567", "664 12"])
def test_a_phone_number_is_found_however_it_is_written(typed: str) -> None:
    asked = wanted(typed)
    assert any(term.startswith(asked) for term in terms_of("phone", "+436641234567", None)), asked


def test_digits_alone_are_taken_as_they_are() -> None:
    assert wanted("0042") == "0042"
    assert any(term.startswith(wanted("06641")) for term in terms_of("phone", "+436641234567", None))


def test_each_word_of_a_name_begins_a_term() -> None:
    assert terms_of("anonymous_id", "an-1", known(first_name="Eva Maria", last_name="Muster")) == {
        "eva maria muster",
        "maria muster eva",
        "muster eva maria",
    }
    assert terms_of("user_id", "u-1", known(name="Eva")) == {"u-1", "eva"}


def test_an_umlaut_is_found_by_either_of_its_spellings() -> None:
    assert terms_of("anonymous_id", "an-1", known(last_name="Müller")) == {"muller", "mueller"}


def test_a_cookie_is_nothing_that_people_search_for() -> None:
    assert terms_of("anonymous_id", "an-1", None) == frozenset()


@pytest.mark.parametrize("value", [None, 7, ["Eva"], {"a": "Eva"}, "", " \0"])
def test_a_name_that_is_no_text_is_none(value: object) -> None:
    state = known(name=value)
    assert terms_of("anonymous_id", "an-1", state) == frozenset()
    assert (name_of(state) or "").strip("\0 ") == ""


def test_a_customer_is_called_as_was_said() -> None:
    assert name_of(known(first_name="Jörg", last_name="Müller")) == "Jörg Müller"
    assert name_of(known(name="Jörg", first_name="J.")) == "Jörg"
    assert name_of(known()) is None
