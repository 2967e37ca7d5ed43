"""What a customer is found by: names, e-mail addresses, phone numbers and ids, spelt as people search for them."""

import unicodedata

import phonenumbers

from services.profile.domain.sections import UNSET
from services.profile.domain.state import State
from shared.contracts.codec import MalformedMessageError, decode
from shared.contracts.identities import IdentityKind

NAMED_BY = ("name", "first_name", "last_name")
"""Traits that hold a person's name."""
LONGEST_TERM = 200
"""Characters; of a longer one its beginning is found."""
MOST_WORDS = 6
"""Words of a name that it is found by the beginning of."""

_KINDS = frozenset({IdentityKind.USER_ID, IdentityKind.EMAIL, IdentityKind.PHONE, IdentityKind.CRM_ID})
_PUNCTUATION = str.maketrans("", "", " ()/.-+")
_LEAST_DIGITS = 4
# Whoever has no such key on the keyboard writes them so.
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


def is_searched(kind: str) -> bool:
    """Tell whether people know identifiers of this kind; a cookie is looked up by its whole value alone."""
    return kind in _KINDS


def normalised(text: str) -> str:
    """Spell as everything is spelt that is searched: no accents, no capitals, one space between words."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = "".join(letter for letter in apart if not unicodedata.combining(letter) and _is_text(letter))
    return " ".join(kept.split())[:LONGEST_TERM].strip()


def _is_text(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter)[0] != "C"


def wanted(text: str) -> str:
    """Spell what somebody searches for; of a phone number the digits, without a prefix for calls from afar."""
    spelt = normalised(text)
    digits = spelt.translate(_PUNCTUATION)
    if digits.isdecimal() and len(digits) >= _LEAST_DIGITS and digits != spelt:
        return digits.removeprefix("00").removeprefix("0")
    return spelt


def terms_of(kind: str, value: str, state: State | None) -> frozenset[str]:
    """Return what an identity is found by: its value, and the names that were said of it."""
    terms: set[str] = set()
    if is_searched(kind):
        terms.add(normalised(value))
    if kind == IdentityKind.PHONE:
        terms |= _numbers(value)
    if state is not None:
        terms |= _names(state)
    return frozenset(terms - {""})


def name_of(state: State) -> str | None:
    """Return the name that a customer goes by, as it was said."""
    whole, first, last = (" ".join(_text(state, name).split()) for name in NAMED_BY)
    return whole or f"{first} {last}".strip() or None


def _numbers(value: str) -> set[str]:
    try:
        parsed = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return set()
    # With its country, and as it is dialled at home, with the leading zero and without.
    home = phonenumbers.national_significant_number(parsed)
    return {f"{parsed.country_code}{home}", home, f"0{home}"}


def _names(state: State) -> set[str]:
    whole, first, last = (_text(state, name) for name in NAMED_BY)
    said = {whole, f"{first} {last}"}
    terms: set[str] = set()
    for name in map(normalised, said | {name.translate(_GERMAN) for name in said}):
        words = name.split()[:MOST_WORDS]
        # Each word begins a term, so that the beginning of any of them is found.
        terms |= {" ".join((*words[at:], *words[:at])) for at in range(len(words))}
    return terms


def _text(state: State, name: str) -> str:
    register = state.traits.get(name)
    if register is None or register.value == UNSET:
        return ""
    try:
        return decode(str, register.value)
    except MalformedMessageError:
        return ""
