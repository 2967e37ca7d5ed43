"""An e-mail address in the one form by which its owner is known."""

import re

from email_validator import EmailNotValidError, validate_email

_SHORT = 64
_USUAL = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", re.ASCII)
_RESERVED_ENDS = (".test", ".invalid", ".local", ".localhost", ".onion", ".arpa")

_NOBODY = frozenset(
    {
        *("anonymous", "guest", "nobody", "none", "null", "undefined", "unknown"),
        *("do-not-reply", "donotreply", "no-email", "no-reply", "noemail", "noreply"),
        *("example", "fake", "tester", "testing", "tests"),
    }
)
_TEST = re.compile(r"test[0-9]*", re.ASCII)
_PLACEHOLDERS = frozenset({"email", "foo", "john.doe", "jane.doe", "mail", "name", "user", "you"})
_RESERVED_DOMAINS = frozenset({"example.com", "example.net", "example.org"})
_MADE_UP = frozenset({"a@a.com", "a@b.com", "aa@aa.com", "abc@abc.com", "asdf@asdf.com", "foo@bar.com", "me@me.com"})


def normal_address(text: str) -> str | None:
    """Write an address in lower case, its domain in Unicode; nothing if it is none (RFC 5321, RFC 6531).

    Whether a mail would arrive is not asked. The local part loses its case too, against the letter of the standard: no
    provider that people use tells `Eva@` from `eva@`.
    """
    lower = text.lower()
    # Most addresses are what the library would call normal already; asking it takes fifty times as long.
    if len(lower) <= _SHORT and "--" not in lower and _USUAL.fullmatch(lower) and not lower.endswith(_RESERVED_ENDS):
        return lower
    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


def is_nobodys(address: str) -> bool:
    """Tell whether a normal address stands for nobody: of a test, of a machine, or filled in to get past a form."""
    local, _, domain = address.rpartition("@")
    local = local.partition("+")[0]
    return (
        local in _NOBODY
        or _TEST.fullmatch(local) is not None
        or (domain in _RESERVED_DOMAINS and local in _PLACEHOLDERS)
        or address in _MADE_UP
    )
