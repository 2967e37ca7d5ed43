"""A patch mends what it names; everything else keeps its bytes, and what is wrong with a patch is said in words."""

import json
from decimal import Decimal
from typing import Any

import pytest

from services.ingest.domain.exact_json import UNREADABLE, Number, decode_exact, encode_exact
from services.ingest.domain.mending import (
    MOST_COPIED,
    MOST_OPERATIONS,
    BadPatch,
    Headers,
    Mended,
    Patch,
    Unmended,
    read_patch,
)

HEADERS: Headers = [("source", b"web-shop"), ("odd", b"\xff"), ("twice", b"1"), ("twice", b"2"), ("none", None)]


def patch(*operations: dict[str, Any]) -> Patch:
    read = read_patch(json.dumps(operations).encode())
    assert isinstance(read, Patch), read
    return read


def mended(value: bytes | None, *operations: dict[str, Any], headers: Headers = ()) -> Mended:
    found = patch(*operations).apply(value, headers)
    assert isinstance(found, Mended), found
    return found


def unmended(value: bytes | None, *operations: dict[str, Any], headers: Headers = ()) -> str:
    found = patch(*operations).apply(value, headers)
    assert isinstance(found, Unmended), found
    return found.why


def test_what_a_patch_does_not_touch_keeps_the_digits_that_it_was_sent_with() -> None:
    value = b'{"a": 1.10, "b": 1e5, "c": -0, "d": 12345678901234567890123, "e": "\\u00e9", "total": "a lot"}'
    found = mended(value, {"op": "replace", "path": "/total", "value": 1})
    assert found.value == '{"a":1.10,"b":1e5,"c":-0,"d":12345678901234567890123,"e":"é","total":1}'.encode()


def test_a_number_of_a_patch_keeps_its_digits_too() -> None:
    read = read_patch(b'[{"op": "add", "path": "/total", "value": 12.50}]')
    assert isinstance(read, Patch)
    assert read.apply(b"{}", ()) == Mended(b'{"total":12.50}', [])


def test_a_patch_without_operations_changes_no_byte_not_even_of_what_is_no_json() -> None:
    for value in (b' { "a" : 1.0 } ', b"\xff{", b"", None):
        assert mended(value, headers=HEADERS) == Mended(value, list(HEADERS))


def test_a_test_alone_changes_no_byte_and_compares_numbers_by_value() -> None:
    assert mended(b'{ "a": 1.0 }', {"op": "test", "path": "/a", "value": 1}).value == b'{ "a": 1.0 }'
    assert unmended(b'{"a": 1}', {"op": "test", "path": "/a", "value": 2})


def test_a_nan_or_half_a_surrogate_pair_is_mended_where_it_stands() -> None:
    assert mended(b'{"a": NaN, "b": 2.0}', {"op": "replace", "path": "/a", "value": 0}).value == b'{"a":0,"b":2.0}'
    lone = b'{"a": "\\ud800", "b": 1}'
    assert mended(lone, {"op": "remove", "path": "/b"}).value == b'{"a":"\\ud800"}'
    assert mended(lone, {"op": "remove", "path": "/a"}).value == b'{"b":1}'


def test_what_is_no_json_is_replaced_whole_or_not_at_all() -> None:
    assert mended(b"\xff", {"op": "replace", "path": "", "value": {"a": 1}}).value == b'{"a":1}'
    assert mended(None, {"op": "add", "path": "", "value": {"a": 1}}).value == b'{"a":1}'
    assert unmended(b"{", {"op": "add", "path": "/a", "value": 1})


def test_headers_are_changed_added_and_removed_where_they_stand() -> None:
    found = mended(
        b"{ }",
        {"op": "replace", "path": "/headers/source", "value": "shop"},
        {"op": "replace", "path": "/headers/twice", "value": "3"},
        {"op": "remove", "path": "/headers/none"},
        {"op": "add", "path": "/headers/ce_type", "value": "é"},
        headers=HEADERS,
    )
    assert found.value == b"{ }"
    assert list(found.headers) == [("source", b"shop"), ("odd", b"\xff"), ("twice", b"3"), ("ce_type", "é".encode())]


def test_a_value_goes_from_a_header_into_the_event() -> None:
    found = mended(b"{}", {"op": "move", "from": "/headers/source", "path": "/userId"}, headers=HEADERS[:1])
    assert found == Mended(b'{"userId":"web-shop"}', [])


def test_a_header_is_a_text() -> None:
    assert unmended(b"{}", {"op": "add", "path": "/headers/x", "value": 1}) == "a header is a text"


def test_a_value_that_is_put_into_one_event_is_not_the_next_one_s_too() -> None:
    both = patch(
        {"op": "add", "path": "/p", "value": {}},
        {"op": "move", "from": "/total", "path": "/p/total"},
    )
    assert both.apply(b'{"total": 1}', ()) == Mended(b'{"p":{"total":1}}', [])
    assert both.apply(b'{"total": 2}', ()) == Mended(b'{"p":{"total":2}}', [])


@pytest.mark.parametrize(("start", "path"), [([1], "/x/-"), ({"a": "b"}, "/x/c"), ("x" * 2048, "/y")])
def test_copies_of_copies_end_before_they_fill_the_memory(start: Any, path: str) -> None:
    doubling = [{"op": "copy", "from": "/x", "path": path}, {"op": "copy", "from": "/x", "path": "/z"}] * 500
    why = unmended(json.dumps({"x": start}).encode(), *doubling)
    assert f"copies more than {MOST_COPIED} characters" in why
    few = mended(b'{"x": [1]}', *[{"op": "copy", "from": "/x", "path": "/x/-"}] * 2)
    assert few.value == b'{"x":[1,[1],[1,[1]]]}'


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/email", "value": "adam@example.com"},
        {"op": "remove", "path": "/email/x"},
        {"op": "remove", "path": "/x/y"},
        {"op": "move", "from": "/x", "path": "/y"},
        {"op": "copy", "from": "/x/y", "path": "/z"},
        {"op": "replace", "path": "/list/eva", "value": 1},
    ],
)
def test_why_a_patch_does_not_fit_is_told_without_what_the_event_holds(operation: dict[str, Any]) -> None:
    why = unmended(b'{"email": "eva@example.org", "list": ["eva@example.org"]}', operation)
    assert "eva@" not in why
    assert f"{operation['op']} {operation['path']}" in why


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "remove", "path": "/a/b"}],
        [{"op": "replace", "path": "/list/7", "value": 1}],
        [{"op": "replace", "path": "/list/x", "value": 1}],
        [{"op": "add", "path": "/n/x", "value": 1}],
        [{"op": "copy", "from": "/z", "path": "/y"}],
        [{"op": "add", "path": "/headers/x/y", "value": 1}],
    ],
)
def test_a_patch_that_does_not_fit_leaves_the_event_alone_and_says_why(operations: list[dict[str, Any]]) -> None:
    read = read_patch(json.dumps(operations).encode())
    if isinstance(read, Patch):
        found = read.apply(b'{"a": 1, "n": 1.5, "list": [1]}', ())
        assert isinstance(found, Unmended)
        assert found.why
    else:
        assert read.why


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "expected a JSON array"),
        (b'{"op": "remove", "path": "/a"}', "expected a JSON array"),
        (b"\xff", "expected a JSON array"),
        (b"[1]", "/0: "),
        (b'[{"op": "test", "path": "/a", "value": 1}, {"op": "burn", "path": "/a"}]', "/1: Unknown operation"),
        (b'[{"op": "add", "path": "/a"}]', "/0: expected a member value"),
        (b'[{"op": "add", "path": "a", "value": 1}]', "/0: "),
        (b'[{"op": "add", "path": 1, "value": 1}]', "/0: "),
        (b'[{"op": "remove", "path": "/a\\u0000"}]', "/0: a path is a text"),
        (b'[{"op": "add", "path": "/headers/\\ud800/x", "value": 1}]', "/0: a path is a text"),
        (b'[{"op": "move", "path": "/a"}]', "/0: expected a member from"),
        (b'[{"op": "remove", "path": ""}]', "discard it"),
        (b'[{"op": "move", "from": "", "path": "/a"}]', "discard it"),
        (b'[{"op": "add", "path": "/headers", "value": {}}]', "expected /headers/<name>"),
        (b'[{"op": "add", "path": "/headers/received_at", "value": "x"}]', "other than crm_message_id, crm_replay"),
        (b'[{"op": "copy", "from": "/headers/crm_replay", "path": "/a"}]', "expected /headers/<name>"),
        (b"[" * 100_000, "expected a JSON array"),
        (json.dumps([{"op": "remove", "path": "/a"}] * (MOST_OPERATIONS + 1)).encode(), "operations, got"),
        (b" " * (1024 * 1024 + 1), "bytes, got"),
    ],
)
def test_what_is_no_patch_is_refused_in_words(text: bytes, words: str) -> None:
    found = read_patch(text)
    assert isinstance(found, BadPatch)
    assert words in found.why


def test_what_a_patch_puts_in_is_not_in_its_outline() -> None:
    said = patch(
        {"op": "add", "path": "/email", "value": "eva@example.org"},
        {"op": "move", "from": "/a", "path": "/b"},
    ).outline()
    assert said == [{"op": "add", "path": "/email"}, {"op": "move", "from": "/a", "path": "/b"}]


def test_an_event_that_is_nested_too_deeply_is_no_stack_trace() -> None:
    deep = b'{"a":1,"b":' + b"[" * 500 + b"]" * 500 + b"}"
    found = patch({"op": "remove", "path": "/a"}).apply(deep, ())
    assert isinstance(found, Mended | Unmended)
    assert isinstance(patch({"op": "remove", "path": "/a"}).apply(b"[" * 100_000, ()), Unmended)


def test_numbers_are_equal_by_value_and_nothing_else_is_a_number() -> None:
    assert Number("1.0") == Number("1")
    assert Number("NaN") == Number("NaN")
    assert Number("1") != Number("2")
    assert Number("1") != 1
    assert hash(Number("1.0")) == hash(Number("1")) == hash(Decimal(1))
    assert Number("1e999999999999999999999") == Number("1e999999999999999999999")


def test_what_is_no_json_is_unreadable() -> None:
    for text in (b"", b"\xff", b"{", b"[" * 100_000, b"\xef\xbb\xbf{}", b'"a\nb"'):
        assert decode_exact(text) is UNREADABLE
    assert encode_exact(decode_exact(b'[true, null, "x", {"a": -1.0E+2}]')) == b'[true,null,"x",{"a":-1.0E+2}]'
