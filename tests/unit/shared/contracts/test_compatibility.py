"""Each kind of change between two schemas has its words and its verdict."""

# ruff: noqa: E501 - a table with one line for each change

from typing import Any

import pytest

from shared.contracts.compatibility import Change, Verdict, changes, successors, worst

COMPATIBLE, FIRST, BREAKING = Verdict.COMPATIBLE, Verdict.READERS_FIRST, Verdict.BREAKING
TEXT: dict[str, Any] = {"type": "string"}
NULL = {"type": "null"}


def record(required: tuple[str, ...] = (), **members: Any) -> dict[str, Any]:
    return {"type": "object", "properties": members, "required": list(required)}


def maybe(schema: Any) -> dict[str, Any]:
    return {"anyOf": [schema, NULL]}


def tagged(kind: str, **members: Any) -> dict[str, Any]:
    return record(("kind", *members), kind={"enum": [kind]}, **members)


CASES: tuple[tuple[str, Any, Any, Verdict, str, str], ...] = (
    ("optional member added", record(), record(a=TEXT), COMPATIBLE, "$.a", "optional member added"),
    ("required member added", record(), record(("a",), a=TEXT), BREAKING, "$.a", "required member added"),
    ("member removed", record(a=TEXT), record(), BREAKING, "$.a", "member removed"),
    ("became required", record(a=TEXT), record(("a",), a=TEXT), BREAKING, "$.a", "became required"),
    ("became optional", record(("a",), a=TEXT), record(a=TEXT), FIRST, "$.a", "became optional"),
    ("unlisted required", record(), record(("b",)), BREAKING, "$.b", "unlisted member required"),
    ("type changed", record(a=TEXT), record(a={"type": "integer"}), BREAKING, "$.a", "type changed from string to integer"),
    ("type changed beside null", maybe(TEXT), maybe({"type": "boolean"}), BREAKING, "$", "type changed from string to boolean"),
    ("number narrowed", {"type": "number"}, {"type": "integer"}, BREAKING, "$", "type narrowed from number to integer"),
    ("number widened", {"type": "integer"}, {"type": "number"}, BREAKING, "$", "type widened from integer to number"),
    ("any narrowed", {}, TEXT, BREAKING, "$", "type narrowed from any value to string"),
    ("widened to any", TEXT, {}, BREAKING, "$", "type widened from string to any value"),
    ("null forbidden", record(a=maybe(TEXT)), record(a=TEXT), BREAKING, "$.a", "null is no longer allowed"),
    ("null allowed", record(a=TEXT), record(a=maybe(TEXT)), BREAKING, "$.a", "may be null now"),
    ("type added", {"type": "string"}, {"type": ["string", "integer"]}, BREAKING, "$", "may be integer now"),
    ("value removed", {"enum": ["a", "b"]}, {"enum": ["a"]}, BREAKING, "$", 'value "b" removed'),
    ("value added", {"enum": ["a"]}, {"enum": ["a", "b"]}, FIRST, "$", 'value "b" added'),
    ("constant changed", {"const": 1}, {"const": 2}, BREAKING, "$", "value 1 removed"),
    ("list of values taken away", {"type": "string", "enum": ["a"]}, TEXT, FIRST, "$", "any value where there was a list"),
    ("list of values put", TEXT, {"type": "string", "enum": ["a"]}, BREAKING, "$", "only listed values"),
    ("null out of a list", {"enum": ["a", None]}, {"enum": ["a"]}, BREAKING, "$", "null is no longer allowed"),
    ("form added", {"anyOf": [tagged("a")]}, {"anyOf": [tagged("a"), tagged("b")]}, FIRST, "$", "another form: object with kind b"),
    ("form removed", {"anyOf": [tagged("a"), tagged("b")]}, {"anyOf": [tagged("b")]}, BREAKING, "$", "object with kind a is no longer allowed"),
    ("member of a form", {"anyOf": [tagged("a", x=TEXT), tagged("b")]}, {"anyOf": [tagged("a"), tagged("b")]}, BREAKING, "$(object with kind a).x", "member removed"),
    ("limit lower", {**TEXT, "maxLength": 9}, {**TEXT, "maxLength": 8}, BREAKING, "$", "maxLength changed from 9 to 8"),
    ("limit higher", {**TEXT, "maxLength": 8}, {**TEXT, "maxLength": 9}, FIRST, "$", "which allows more"),
    ("limit put", TEXT, {**TEXT, "maxLength": 9}, BREAKING, "$", "maxLength changed from none to 9"),
    ("limit gone", {**TEXT, "maxLength": 9}, TEXT, FIRST, "$", "maxLength changed from 9 to none"),
    ("minimum higher", {"type": "integer", "minimum": 0}, {"type": "integer", "minimum": 1}, BREAKING, "$", "minimum changed from 0 to 1"),
    ("minimum lower", {"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 0}, FIRST, "$", "minimum changed from 1 to 0"),
    ("pattern", {**TEXT, "pattern": "a"}, {**TEXT, "pattern": "b"}, BREAKING, "$", "pattern changed"),
    ("a keyword that nobody knows", TEXT, {**TEXT, "format": "uuid"}, BREAKING, "$", "format changed"),
    ("another default", {**TEXT, "default": "a"}, {**TEXT, "default": "b"}, BREAKING, "$", "another default"),
    ("other words", {**TEXT, "description": "a"}, {**TEXT, "description": "b"}, COMPATIBLE, "$", "described by another description"),
    ("other words of a form", maybe({**TEXT, "description": "a"}), maybe({**TEXT, "description": "b"}), COMPATIBLE, "$", "described by another description"),
    ("elements", {"type": "array", "items": TEXT}, {"type": "array", "items": {"type": "integer"}}, BREAKING, "$[*]", "type changed"),
    ("elements of any kind", {"type": "array", "items": TEXT}, {"type": "array"}, BREAKING, "$[*]", "type widened"),
    ("a fixed element", {"type": "array", "prefixItems": [TEXT]}, {"type": "array", "prefixItems": [NULL]}, BREAKING, "$[0]", "type changed"),
    ("fixed elements", {"type": "array", "prefixItems": [TEXT]}, {"type": "array", "prefixItems": [TEXT, TEXT]}, BREAKING, "$", "2 fixed elements instead of 1"),
    ("values by name", {"type": "object", "additionalProperties": TEXT}, {"type": "object", "additionalProperties": NULL}, BREAKING, "$.*", "type changed"),
    ("further members forbidden", record(), {**record(), "additionalProperties": False}, BREAKING, "$", "members that are not listed are forbidden"),
    ("further members allowed", {**record(), "additionalProperties": False}, record(), FIRST, "$", "members of any name may follow"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "verdict", "path", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_change_is_named(old: Any, new: Any, verdict: Verdict, path: str, words: str) -> None:
    found = changes(old, new, ("customer.updated.v1",))
    assert worst({"it": found}) is verdict, found
    named = [change for change in found if words in change.what]
    assert [(change.verdict, change.path) for change in named] == [(verdict, path)], found


def test_a_breaking_change_says_what_to_publish_instead() -> None:
    (change,) = changes(record(a=TEXT), record(), ("segment.entered.v1", "segment.exited.v1"))
    assert str(change) == "breaking: $.a: member removed; keep it, or publish segment.entered.v2, segment.exited.v2"


def test_what_has_no_type_gets_another_name() -> None:
    assert successors(()) == "give it another name"
    assert successors(("a.made.v9",)) == "publish a.made.v10"


def test_definitions_may_have_other_names() -> None:
    old = {"$ref": "#/$defs/A", "$defs": {"A": record(b={"$ref": "#/$defs/B"}), "B": TEXT}}
    new = {"$ref": "#/$defs/C", "$defs": {"C": record(b={"$ref": "#/$defs/D"}), "D": TEXT}}
    assert changes(old, new) == []


def test_a_change_behind_references_is_found_by_its_path() -> None:
    held = record(b={"type": "array", "items": {"$ref": "#/$defs/B"}})
    old = {"$ref": "#/$defs/A", "$defs": {"A": held, "B": TEXT}}
    new = {"$ref": "#/$defs/A", "$defs": {"A": held, "B": NULL}}
    assert [(change.path, change.verdict) for change in changes(old, new)] == [("$.b[*]", BREAKING)]


def test_a_schema_that_holds_itself_comes_to_an_end() -> None:
    old = {"$ref": "#/$defs/Tree", "$defs": {"Tree": record(leaf=TEXT, left={"$ref": "#/$defs/Tree"})}}
    new = {"$ref": "#/$defs/Tree", "$defs": {"Tree": record(left={"$ref": "#/$defs/Tree"})}}
    assert changes(old, old) == []
    assert [change.path for change in changes(old, new)] == ["$.leaf"]


def test_a_reference_to_nowhere_is_an_error() -> None:
    with pytest.raises(KeyError):
        changes({"$ref": "#/$defs/A"}, TEXT)
    with pytest.raises(KeyError):
        changes({"$ref": "other.json"}, TEXT)


def test_the_worst_of_several_counts() -> None:
    mild, bad = Change(COMPATIBLE, "$", "", ""), Change(BREAKING, "$", "", "")
    assert worst({}) is COMPATIBLE
    assert worst({"a": [mild], "b": [bad, mild]}) is BREAKING
