"""A JSON Schema taken apart: where its references lead, and the kinds of value that it allows, one branch each."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

ANY = "any value"
NULL = "null"
ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "$defs", "title", "description", "examples", "deprecated"})
"""Keywords that say something to people and allow or forbid nothing."""

_UNIONS = ("anyOf", "oneOf")
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def resolved(schema: Any, document: Schema) -> Schema:
    """Follow a schema's references within its document; what stands beside a reference is added to what it names.

    Raises:
        KeyError: a reference leads nowhere, or out of the document.
    """
    if isinstance(schema, bool):
        return {} if schema else {"not": {}}
    found: dict[str, Any] = dict(schema)
    while (reference := found.pop("$ref", None)) is not None:
        if not reference.startswith("#"):
            raise KeyError(reference)
        target: Any = document
        for step in reference[1:].split("/")[1:]:
            target = target[step.replace("~1", "/").replace("~0", "~")]
        found = {**target, **found}
    return found


def branches(schema: Schema, document: Schema) -> dict[str, Schema]:
    """Split what a schema allows by kind of value: its JSON type, and of tagged objects the tag.

    `{"anyOf": [{"type": "string"}, {"type": "null"}]}` has the branches `string` and `null`. Two that look alike get
    numbers.
    """
    union = any(keyword in schema for keyword in _UNIONS)
    tag = schema.get("discriminator", {}).get("propertyName")
    found: dict[str, Schema] = {}
    for branch in _split(schema, document):
        kind = name = _tagged(branch, document, tag) if union else _name(branch)
        count = 1
        while name in found:
            count += 1
            name = f"{kind} {count}"
        found[name] = branch
    return found


def values(schema: Schema) -> list[Any] | None:
    """Return the values that a schema lists, or nothing if it does not."""
    if "const" in schema:
        return [schema["const"]]
    listed: list[Any] | None = schema.get("enum")
    return listed


def _split(schema: Schema, document: Schema) -> Iterator[Schema]:
    for union in _UNIONS:
        if union in schema:
            apart = ANNOTATIONS | {union, "discriminator"}
            rest = {key: value for key, value in schema.items() if key not in apart}
            for part in schema[union]:
                yield from _split({**rest, **resolved(part, document)}, document)
            return
    kinds = schema.get("type")
    listed = values(schema)
    if isinstance(kinds, list):
        for kind in kinds:
            yield {**schema, "type": kind}
    elif listed is not None and len({_kind(value) for value in listed}) > 1:
        for kind in dict.fromkeys(_kind(value) for value in listed):
            yield {**schema, "enum": [value for value in listed if _kind(value) == kind]}
    else:
        yield schema


def _tagged(schema: Schema, document: Schema, tag: str | None) -> str:
    """Name one of several objects by the required members that can have one value only."""
    kind = _name(schema)
    found = []
    for name, member in sorted(schema.get("properties", {}).items()):
        listed = values(resolved(member, document))
        if name in schema.get("required", ()) and listed is not None and len(listed) == 1 and tag in {name, None}:
            found.append(f"{name} {listed[0]}")
    return f"{kind} with {', '.join(found)}" if found else kind


def _name(schema: Schema) -> str:
    kind = schema.get("type")
    if kind is None:
        listed = values(schema)
        return _kind(listed[0]) if listed else _implied(schema)
    return str(kind)


def _implied(schema: Schema) -> str:
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else ANY


def _kind(value: object) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), NULL)
