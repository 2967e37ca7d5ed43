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


def _objects(inner: st.SearchStrategy[Schema], least: int = 0) -> st.SearchStrategy[Schema]:
    def build(members: dict[str, Schema], drawn: st.DataObject) -> Schema:
        needed = [name for name in members if drawn.draw(st.booleans())]
        return {"type": "object", "properties": members, "required": needed}

    return st.builds(build, st.dictionaries(NAMES, inner, min_size=least, max_size=3), st.data())


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
    """Draw a message's schema, and what became of it when one of its parts was changed a little, or written anew."""
    old = draw(_objects(SCHEMAS, 1))
    new = {"$": copy.deepcopy(old)}
    places = [(new, "$"), *holes(new["$"])]
    little = [(holder, name, part) for holder, name in places for part in _near(holder[name])]
    anew = st.tuples(st.sampled_from(places), SCHEMAS).map(lambda drawn: (*drawn[0], drawn[1]))
    holder, name, part = draw(st.one_of(*(st.just(one) for one in little), anew))
    holder[name] = part
    return old, new["$"]


def _near(schema: Schema) -> list[Schema]:
    """Change one thing only, in each way there is."""
    near: list[Schema] = []
    if "properties" in schema:
        members, needed = schema["properties"], schema["required"]
        near += [{**schema, "properties": {**members, "e": {"type": "boolean"}}}]
        near += [{**schema, "required": [one for one in needed if one != name]} for name in needed]
        near += [{**schema, "required": [*needed, name]} for name in members if name not in needed]
    if "enum" in schema:
        near += [{"enum": [*schema["enum"], "w"]}, {"enum": schema["enum"][1:] or ["w"]}]
    near += [
        {**schema, bound: schema[bound] + step}
        for bound in ("minimum", "maxLength")
        if bound in schema
        for step in ((-1, 1) if schema[bound] else (1,))
    ]
    return near or [_maybe(schema)]


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
            # Where a bound moves, its edge tells.
            "integer": st.sampled_from([low, low + 1, 9]),
            "number": st.sampled_from([low, low + 0.5, 9.5]),
            "string": st.sampled_from(["", "a", "a" * most]).filter(lambda text: len(text) <= most),
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
    if worst({"it": changes(old, new)}) is not Verdict.BREAKING:
        for message in data.draw(st.lists(messages(old), min_size=5, max_size=5)):
            assert jsonschema_rs.is_valid(new, message)


@given(changed(), st.data())
def test_a_reader_of_today_reads_what_is_written_tomorrow_when_the_change_is_called_compatible(
    pair: tuple[Schema, Schema], data: st.DataObject
) -> None:
    old, new = pair
    if worst({"it": changes(old, new)}) is Verdict.COMPATIBLE:
        for message in data.draw(st.lists(messages(new), min_size=5, max_size=5)):
            assert jsonschema_rs.is_valid(old, message)
