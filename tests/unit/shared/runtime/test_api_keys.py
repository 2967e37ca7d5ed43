"""Keys are known by their hash, tell who calls with which role, and are refused in words when they are wrong."""

import json
from typing import Any

import pytest

from shared.runtime.api_keys import ApiKeys, Caller, Role, at_least, hashed

OLGA = {"name": "olga", "role": "operate", "sha256": hashed("a key of olga's")}
ANNA = {"name": "anna", "role": "admin", "sha256": hashed("a key of anna's")}


def read(*keys: Any) -> ApiKeys:
    return ApiKeys.read(json.dumps(keys))


def test_a_key_tells_who_calls_and_what_they_may() -> None:
    keys = read(OLGA, ANNA)
    assert keys.caller("a key of olga's") == Caller("olga", Role.OPERATE)
    assert keys.caller("a key of anna's") == Caller("anna", Role.ADMIN)


@pytest.mark.parametrize("presented", ["", "a key of nobody's", hashed("a key of olga's"), "\ud800", "x" * 100_000])
def test_anything_else_is_nobody(presented: str) -> None:
    assert read(OLGA, ANNA).caller(presented) is None
    assert ApiKeys().caller(presented) is None


def test_who_may_more_may_all_that_others_may_but_for_privacy() -> None:
    assert at_least(Role.READ) == {Role.READ, Role.OPERATE, Role.ADMIN}
    assert at_least(Role.OPERATE) == {Role.OPERATE, Role.ADMIN}
    assert at_least(Role.ADMIN) == {Role.ADMIN}
    assert at_least(Role.PRIVACY) == {Role.PRIVACY}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a JSON list of keys"),
        ("{}", "expected a JSON list of at most 1000 keys"),
        ("[1]", "expected name, role and sha256 in key 0"),
        (json.dumps([OLGA, {"name": "x", "role": "read"}]), "in key 1"),
        (json.dumps([{**OLGA, "also": 1}]), "expected name, role and sha256 in key 0"),
        (json.dumps([{**OLGA, "name": ""}]), "expected a name of 1 to 100"),
        (json.dumps([{**OLGA, "name": "a\nb"}]), "expected a name of 1 to 100"),
        (json.dumps([{**OLGA, "role": "root"}]), "expected one of read, operate, admin, privacy"),
        (json.dumps([{**OLGA, "role": ["read"]}]), "expected one of read, operate, admin, privacy"),
        (json.dumps([{**OLGA, "sha256": "a key of olga's"}]), "expected 64 lower-case hexadecimal digits"),
        (json.dumps([OLGA, {**ANNA, "name": "olga"}]), "expected a name of its own for each key"),
        (json.dumps([OLGA] * 1001), "at most 1000 keys"),
        ("[" * 100_000, "expected a JSON list of keys"),
    ],
)
def test_a_wrong_list_of_keys_is_refused_in_words_that_show_no_value(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        ApiKeys.read(text)
    assert "olga's" not in str(refused.value)
