"""Laws of comparing schemas: nothing is said of equals, no difference is kept back, verdicts are true."""

import copy
import json
from typing import Any

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.compatibility import Verdict, changes, worst
from shared.runtime.message_schemas import schema_files, written

Schema = dict[str, Any]

NAMES = st.sampled_from("abcd")
VALUES = st.sampled_from(["x", "y", "z"])
LISTED: st.SearchStrategy[Schema] = st.lists(VALUES, min_size=1, unique=True).map(lambda listed: {"enum": listed})
NUMBERS: st.SearchStrategy[Schema] = st.builds(
    lambda kind, low: {"type": kind, "minimum": low}, st.sampled_from(["integer", "number"]), st.integers(0, 3)
)
TEXTS: st.SearchStrategy[Schema] = st.integers(0, 4).map(lambda most: {"type": "string", "maxLength": most})
LEAVES = st.one_of(LISTED, NUMBERS, TEXTS, st.just({"type": "boolean"}))


def _objects(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    def build(members: dict[str, Schema], drawn: st.DataObject) -> Schema:
        needed = [name for name in members if drawn.draw(st.booleans())]
        return {"type": "object", "properties": members, "required": needed}

    return st.builds(build, st.dictionaries(NAMES, inner, max_size=3), st.data())


def _list(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _by_name(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def _maybe(schema: Schema) -> Schema:
    return schema if "anyOf" in schema else {"anyOf": [schema, {"type": "null"}]}


SCHEMAS: st.SearchStrategy[Schema] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(_objects(inner), inner.map(_list), inner.map(_by_name), inner.map(_maybe)),
    max_leaves=6,
)


def holes(schema: Schema) -> list[tuple[Schema, str]]:
    """Find the places where a schema holds another one."""
    found: list[tuple[Schema, str]] = []
    for holder in (schema.get("properties", {}), schema):
        found += [
            (holder, name) for name in holder if holder is not schema or name in {"items", "additionalProperties"}
        ]
    return found + [hole for holder, name in found for hole in holes(holder[name])]


@st.composite
def changed(draw: st.DrawFn) -> tuple[Schema, Schema]:
    """Draw a schema, and what became of it when it or one of its parts was changed a little, or written anew."""
    old = draw(SCHEMAS)
    new = copy.deepcopy(old)
    places = holes(new)
    if not places or draw(st.booleans()):
        return old, draw(st.one_of(SCHEMAS, _touched(new)))
    holder, name = draw(st.sampled_from(places))
    holder[name] = draw(st.one_of(SCHEMAS, _touched(holder[name])))
    return old, new


def _touched(schema: Schema) -> st.SearchStrategy[Schema]:
    """Change one thing only."""
    near: list[Schema] = [schema]
    if "properties" in schema:
        members, needed = schema["properties"], schema["required"]
        near += [{**schema, "properties": {**members, "e": {"type": "boolean"}}}]
        near += [{**schema, "required": [one for one in needed if one != name]} for name in needed]
        near += [{**schema, "required": [*needed, name]} for name in members if name not in needed]
    if "enum" in schema:
        near += [{"enum": [*schema["enum"], "w"]}, {"enum": schema["enum"][1:] or ["w"]}]
    if "minimum" in schema:
        near += [{**schema, "minimum": schema["minimum"] + step} for step in (-1, 1)]
    return st.sampled_from(near)


def messages(schema: Schema) -> st.SearchStrategy[Any]:
    """Draw what a writer may write by a schema: the members that are listed, and no others."""
    if "anyOf" in schema:
        found: st.SearchStrategy[Any] = st.one_of(*(messages(part) for part in schema["anyOf"]))
    elif "enum" in schema:
        found = st.sampled_from(schema["enum"])
    elif schema["type"] == "array":
        found = st.lists(messages(schema["items"]), max_size=2)
    elif "additionalProperties" in schema:
        found = st.dictionaries(NAMES, messages(schema["additionalProperties"]), max_size=2)
    elif schema["type"] == "object":
        members = {name: messages(member) for name, member in schema["properties"].items()}
        needed = {name: members.pop(name) for name in schema["required"]}
        found = st.fixed_dictionaries(needed, optional=members)
    else:
        low, most = schema.get("minimum", 0), schema.get("maxLength", 0)
        found = {
            "null": st.none(),
            "boolean": st.booleans(),
            "integer": st.integers(low, 9),
            "number": st.floats(low, 9),
            "string": st.text("ab", max_size=most),
        }[schema["type"]]
    return found


def like(schema: Any) -> Any:
    """Bring a schema into the form in which equal ones are equal: the order of names and listed values is nothing."""
    if isinstance(schema, list):
        return [like(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: sorted(value) if name in {"required", "enum"} else like(value) for name, value in sorted(schema.items())
    }


@given(SCHEMAS)
def test_nothing_is_said_of_a_schema_and_itself(schema: Schema) -> None:
    assert changes(schema, copy.deepcopy(schema)) == []


def test_nothing_is_said_of_what_we_publish_and_itself() -> None:
    for schema in schema_files().values():
        assert changes(schema, json.loads(written(schema))) == []


@given(changed())
def test_no_difference_is_kept_back(pair: tuple[Schema, Schema]) -> None:
    old, new = pair
    assert (changes(old, new) == []) is (like(old) == like(new))


@given(changed(), st.data())
def test_what_is_on_the_log_stays_readable_unless_the_change_is_called_breaking(
    pair: tuple[Schema, Schema], data: st.DataObject
) -> None:
    old, new = pair
    message = data.draw(messages(old))
    if worst({"it": changes(old, new)}) is not Verdict.BREAKING:
        jsonschema_rs.validate(new, message)


@given(changed(), st.data())
def test_a_reader_of_today_reads_what_is_written_tomorrow_when_the_change_is_called_compatible(
    pair: tuple[Schema, Schema], data: st.DataObject
) -> None:
    old, new = pair
    message = data.draw(messages(new))
    if worst({"it": changes(old, new)}) is Verdict.COMPATIBLE:
        jsonschema_rs.validate(old, message)
