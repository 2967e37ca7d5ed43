"""A telephone number in the one form by which its owner is known."""

import re

import phonenumbers

_LONGEST = 40
_ABROAD = "00"
_DIGITS = re.compile(r"\d", re.ASCII)


def e164(text: str, region: str | None) -> str | None:
    """Write a number as ITU-T E.164 has it, for example `+43158858`; nothing if it is none or leaves something open.

    `region` (ISO 3166) is where a number without a country code is dialled. A number must be one that its country gives
    out, and one with an extension is no person's alone.
    """
    if len(text) > _LONGEST:
        return None
    found = _parsed(text, region)
    if found is None and text.startswith(_ABROAD):
        found = _parsed("+" + text[len(_ABROAD) :], None)
    return found


def is_nobodys(text: str) -> bool:
    """Tell whether a number was filled in to get past a form: all of its digits are the same."""
    digits = _DIGITS.findall(text)
    return len(digits) > 1 and len(set(digits)) == 1


def _parsed(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
