"""What changed between two versions of a message's schema, in words, and what to do about each change.

Two promises are kept to those who read our topics: what is on the log already stays readable, and a reader of today
reads what is written tomorrow.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.contracts.schema_branches import ANNOTATIONS, ANY, NULL, Schema, branches, resolved, values


class Verdict(StrEnum):
    """How far a change reaches."""

    COMPATIBLE = "compatible"
    """Readers need not know."""
    READERS_FIRST = "readers first"
    """What is on the log stays readable, but a reader may meet what it does not know."""
    BREAKING = "breaking"
    """What is on the log is no longer as the schema says, or something that readers use is gone."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change: where (a JSON path in the message), what it is, and what to do; never a value of a message."""

    verdict: Verdict
    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """Write the change as one line."""
        return f"{self.verdict}: {self.path}: {self.what}; {self.remedy}"


NOTHING_TO_DO = "write the reference pages anew"
READERS_FIRST = "release every reader first, then the writer, and say so in the changelog"

_KINDS = frozenset({"type", "enum", "const", "anyOf", "oneOf", "discriminator", "$ref"})
_PARTS = frozenset({"properties", "required", "additionalProperties", "items", "prefixItems"})
_LOWER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_UPPER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_NUMBERS = ("integer", "number")


def successors(types: tuple[str, ...]) -> str:
    """Say which types to publish beside the present ones: `customer.updated.v1` is succeeded by `….v2`."""
    if not types:
        return "give it another name"
    stems = (kind.rpartition(".v") for kind in types)
    return "publish " + ", ".join(f"{stem}.v{int(number) + 1}" for stem, _, number in stems)


def changes(published: Schema, current: Schema, types: tuple[str, ...] = ()) -> list[Change]:
    """Name every change from the published schema to the current one, in the order of the members.

    `types` are those of the messages. Names of definitions may change freely; every other difference is reported, and
    one whose keyword is not understood counts as breaking. Equal schemas give an empty list.
    """
    comparison = _Comparison(published, current, successors(types))
    # What is said of a value and of its only kind is one change.
    return list(dict.fromkeys(comparison.schemas("$", published, current)))


_Seen = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Comparison:
    old: Schema
    new: Schema
    another: str

    def schemas(self, path: str, old: Any, new: Any, seen: _Seen = frozenset()) -> Iterator[Change]:
        if isinstance(old, dict) and isinstance(new, dict):
            references = (old.get("$ref", ""), new.get("$ref", ""))
            if all(references):
                if references in seen:
                    return
                seen |= {references}
        old, new = resolved(old, self.old), resolved(new, self.new)
        yield from self._described(path, old, new)
        if old.get("default", ...) != new.get("default", ...):
            yield self._breaking(path, "another default, so that its absence means something else", "leave it")
        before, after = branches(old, self.old), branches(new, self.new)
        for name in before:
            if name in after:
                inner = f"{path}({name})" if name.startswith("object with") and len(before) > 1 else path
                yield from self._branch(inner, before[name], after[name], seen)
        gone, come = [name for name in before if name not in after], [name for name in after if name not in before]
        if len(gone) == len(come) == 1:
            yield self._retyped(path, gone[0], come[0])
            return
        for name in gone:
            yield self._breaking(path, f"{name} is no longer allowed, and is on the log", "allow it")
        for name in come:
            yield self._allowed(path, name)

    def _described(self, path: str, old: Schema, new: Schema) -> Iterator[Change]:
        for keyword in sorted(ANNOTATIONS - {"$defs"}):
            if old.get(keyword) != new.get(keyword):
                yield Change(Verdict.COMPATIBLE, path, f"described by another {keyword}", NOTHING_TO_DO)

    def _retyped(self, path: str, old: str, new: str) -> Change:
        if (old, new) == _NUMBERS or new == ANY:
            return self._breaking(path, f"type widened from {old} to {new}, which no reader expects", f"keep {old}")
        if (new, old) == _NUMBERS or old == ANY:
            return self._breaking(path, f"type narrowed from {old} to {new}, and the log has others", f"keep {old}")
        return self._breaking(path, f"type changed from {old} to {new}", f"keep {old}, add a member")

    def _allowed(self, path: str, name: str) -> Change:
        if name.startswith("object with"):
            return Change(Verdict.READERS_FIRST, path, f"another form: {name}", READERS_FIRST)
        what = "may be null now" if name == NULL else f"may be {name} now"
        return self._breaking(path, f"{what}, which no reader expects", "add a member")

    def _branch(self, path: str, old: Schema, new: Schema, seen: _Seen) -> Iterator[Change]:
        yield from self._described(path, old, new)
        yield from self._listed(path, values(old), values(new))
        yield from self._members(path, old, new, seen)
        yield from self._further(
            path, old.get("additionalProperties", True), new.get("additionalProperties", True), seen
        )
        yield from self._elements(path, old, new, seen)
        for keyword in sorted((set(old) | set(new)) - ANNOTATIONS - _KINDS - _PARTS - {"default"}):
            if old.get(keyword) != new.get(keyword):
                yield self._bound(path, keyword, old.get(keyword), new.get(keyword))

    def _listed(self, path: str, old: list[Any] | None, new: list[Any] | None) -> Iterator[Change]:
        if old is None or new is None:
            if old is not None:
                yield Change(Verdict.READERS_FIRST, path, "any value where there was a list of them", READERS_FIRST)
            if new is not None:
                yield self._breaking(path, "only listed values where any was allowed", "take the list away")
            return
        for value in old:
            if value not in new:
                yield self._breaking(path, f"value {_json(value)} removed, and is on the log", "keep it")
        for value in new:
            if value not in old:
                yield Change(Verdict.READERS_FIRST, path, f"value {_json(value)} added", READERS_FIRST)

    def _members(self, path: str, old: Schema, new: Schema, seen: _Seen) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            if name not in after:
                yield self._breaking(f"{path}.{name}", "member removed", "keep it")
        for name in after:
            there = f"{path}.{name}"
            if name not in before:
                if name in needs:
                    yield self._breaking(there, "required member added, which the log has not", "give it a default")
                else:
                    yield Change(Verdict.COMPATIBLE, there, "optional member added", NOTHING_TO_DO)
                continue
            if name in needs - needed:
                yield self._breaking(there, "member became required, and the log has messages without it", "let it be")
            if name in needed - needs:
                yield Change(Verdict.READERS_FIRST, there, "member became optional", READERS_FIRST)
            yield from self.schemas(there, before[name], after[name], seen)
        for name in sorted((needs ^ needed) - set(before) - set(after)):
            yield self._breaking(f"{path}.{name}", "unlisted member required, or no longer so", "list it")

    def _further(self, path: str, old: Any, new: Any, seen: _Seen) -> Iterator[Change]:
        if old is False and new is not False:
            yield Change(Verdict.READERS_FIRST, path, "members of any name may follow", READERS_FIRST)
        elif new is False and old is not False:
            yield self._breaking(path, "members that are not listed are forbidden, and may be on the log", "allow them")
        elif isinstance(old, dict) or isinstance(new, dict):
            yield from self.schemas(f"{path}.*", old, new, seen)

    def _elements(self, path: str, old: Schema, new: Schema, seen: _Seen) -> Iterator[Change]:
        if "items" in old or "items" in new:
            yield from self.schemas(f"{path}[*]", old.get("items", True), new.get("items", True), seen)
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        for place, (first, second) in enumerate(zip(before, after, strict=False)):
            yield from self.schemas(f"{path}[{place}]", first, second, seen)
        if len(before) != len(after):
            yield self._breaking(path, f"{len(after)} fixed elements instead of {len(before)}", "add a member")

    def _bound(self, path: str, keyword: str, old: Any, new: Any) -> Change:
        if keyword not in _LOWER | _UPPER:
            return self._breaking(path, f"{keyword} changed", "leave it")
        loosened = new is None or (old is not None and (new < old) is (keyword in _LOWER))
        words = f"{keyword} changed from {_json(old)} to {_json(new)}"
        if loosened:
            return Change(Verdict.READERS_FIRST, path, f"{words}, which allows more", READERS_FIRST)
        return self._breaking(path, f"{words}, and the log may have what that forbids", f"keep {_json(old)}")

    def _breaking(self, path: str, what: str, instead: str) -> Change:
        return Change(Verdict.BREAKING, path, what, f"{instead}, or {self.another}")


def _json(value: Any) -> str:
    return "none" if value is None else json.dumps(value)


def worst(found: Mapping[str, list[Change]]) -> Verdict:
    """Return the verdict that reaches farthest among the changes of several messages."""
    order = list(Verdict)
    reached = [order.index(change.verdict) for listed in found.values() for change in listed]
    return order[max(reached, default=0)]
