"""A patch (RFC 6902) mends an event's own JSON, or a header of its record; what it does not touch keeps its bytes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonpatch
from jsonpointer import JsonPointer, JsonPointerException

from services.ingest.domain.exact_json import UNREADABLE, Number, Unreadable, decode_exact, encode_exact

Headers = Sequence[tuple[str, bytes | None]]

MOST_OPERATIONS = 1_000
LARGEST_PATCH = 1024 * 1024
MOST_COPIED = LARGEST_PATCH
"""Characters and values that a patch may copy within an event: a copy of a copy of a copy would fill any memory."""

OURS = frozenset({"received_at", "crm_replay", "crm_message_id"})
"""Headers that replay writes: what an event was received as is never changed by mending it."""

_EVENT, _HEADERS = "event", "headers"
_NAMES_ONE_HEADER = 2
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NEEDED = {"add": "value", "replace": "value", "test": "value", "move": "from", "copy": "from"}


@dataclass(frozen=True, slots=True)
class BadPatch:
    """What was given is no patch that can be used, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Mended:
    """An event after the patch: its bytes and its record's headers."""

    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Unmended:
    """The patch cannot be applied to this event, and why; nothing of it was."""

    why: str


@dataclass(frozen=True, slots=True)
class Patch:
    """Operations that are well formed; paths are those of problems: into the event, or `/headers/<name>`.

    An event's own member `headers` can't be reached by its path, only by replacing the event whole (path "").
    """

    operations: tuple[Mapping[str, Any], ...]

    def outline(self) -> list[dict[str, str]]:
        """Return what is done where, without the values, which may be personal."""
        return [
            {name: str(operation[name]) for name in ("op", "from", "path") if name in operation}
            for operation in self.operations
        ]

    def apply(self, value: bytes | None, headers: Headers) -> Mended | Unmended:
        """Mend one event; bytes that no operation changes come back as they are, numbers with their own digits."""
        before = {name: _text(text) for name, text in headers}
        document: dict[str, Any] = {
            _EVENT: UNREADABLE if value is None else decode_exact(value),
            _HEADERS: dict(before),
        }
        try:
            found = _applied(self.operations, document)
            event = document.get(_EVENT, UNREADABLE)
            mended = encode_exact(event) if found is None and self._changes_event() else value
        except RecursionError:
            return Unmended("the event is nested too deeply to be written again: replace it whole")
        if self._changes_event() and isinstance(event, Unreadable):
            return Unmended("the event is no JSON: replace it whole, by the path ''")
        if found is not None:
            return found
        after = document[_HEADERS]
        if any(not isinstance(text, str | None) for text in after.values()):
            return Unmended("a header is a text")
        return Mended(mended, _merged(headers, before, after))

    def _changes_event(self) -> bool:
        return any(operation["op"] != "test" and _touches_event(operation) for operation in self.operations)


def read_patch(data: bytes) -> Patch | BadPatch:
    """Read a patch from JSON, keeping its numbers' digits; say what is wrong with it."""
    if len(data) > LARGEST_PATCH:
        return BadPatch(f"expected at most {LARGEST_PATCH} bytes, got {len(data)}")
    operations = decode_exact(data)
    if not isinstance(operations, list):
        return BadPatch("expected a JSON array of operations (RFC 6902)")
    if len(operations) > MOST_OPERATIONS:
        return BadPatch(f"expected at most {MOST_OPERATIONS} operations, got {len(operations)}")
    for number, operation in enumerate(operations):
        found = _wrong_with(operation)
        if found is not None:
            return BadPatch(f"/{number}: {found}")
    return Patch(tuple(operations))


def _wrong_with(operation: Any) -> str | None:
    try:
        jsonpatch.JsonPatch([operation])
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError) as error:
        return _said(error)
    needed = _NEEDED.get(operation["op"])
    if needed is not None and needed not in operation:
        return f"expected a member {needed}"
    # Neither a NUL nor half a surrogate pair can be written down in the audit.
    pointers = [operation[name] for name in ("path", "from") if name in operation]
    if not all(isinstance(pointer, str) and not _UNSTORABLE.search(pointer) for pointer in pointers):
        return "a path is a text"
    for pointer in pointers:
        steps = pointer.split("/")[1:]
        if steps[:1] == [_HEADERS] and (len(steps) != _NAMES_ONE_HEADER or steps[1] in OURS):
            names = ", ".join(sorted(OURS))
            return f"expected /headers/<name> with a name other than {names}, got {pointer}"
    if operation["op"] in ("remove", "move") and operation.get("from", operation["path"]) == "":
        return "an event can't be removed by a patch: discard it"
    return None


def _applied(operations: Sequence[Mapping[str, Any]], document: dict[str, Any]) -> Unmended | None:
    """Change a document; why it can't be done is said without what the event holds, for everybody may read that."""
    room = MOST_COPIED
    for operation in operations:
        place = f"{operation['op']} {operation['path']}"
        addressed = _addressed(operation)
        try:
            if operation["op"] == "copy":
                room -= _weight(JsonPointer(addressed["from"]).resolve(document), room)
                if room < 0:
                    return Unmended(f"{place}: the patch copies more than {MOST_COPIED} characters")
            jsonpatch.JsonPatch([addressed]).apply(document, in_place=True)
        except jsonpatch.JsonPatchTestFailed:
            return Unmended(f"{place}: another value is there, or none")
        except (jsonpatch.JsonPatchException, JsonPointerException, TypeError):
            return Unmended(f"{place}: the event has no such place")
    return None


def _addressed(operation: Mapping[str, Any]) -> dict[str, Any]:
    """Address event and headers as parts of one document, so that an operation can go from one to the other."""
    return {name: _within(said) if name in ("path", "from") else said for name, said in operation.items()}


def _weight(value: Any, most: int) -> int:
    """Count values, and the characters of texts and names; what is more than `most` is not looked at."""
    waiting, weight = [value], 0
    while waiting and weight <= most:
        one = waiting.pop()
        weight += 1
        if isinstance(one, dict):
            weight += sum(map(len, one))
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, str):
            weight += len(one)
        elif isinstance(one, Number):
            weight += len(one.text)
    return weight


def _within(pointer: str) -> str:
    return pointer if _is_header(pointer) else f"/{_EVENT}{pointer}"


def _is_header(pointer: str) -> bool:
    return pointer.startswith(f"/{_HEADERS}/")


def _touches_event(operation: Mapping[str, Any]) -> bool:
    source = operation.get("from", "/headers/") if operation["op"] == "move" else "/headers/"
    return not (_is_header(operation["path"]) and _is_header(source))


def _merged(headers: Headers, before: Mapping[str, str | None], after: Mapping[str, str | None]) -> Headers:
    """Put changed headers where they stood, new ones at the end; a changed one that came twice comes once."""
    merged: list[tuple[str, bytes | None]] = []
    written: set[str] = set()
    for name, text in headers:
        if name in after and after[name] == before[name]:
            merged.append((name, text))
        elif name in after and name not in written:
            merged.append((name, _data(after[name])))
            written.add(name)
    return merged + [(name, _data(text)) for name, text in after.items() if name not in before]


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "backslashreplace")


def _data(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "backslashreplace")


def _said(error: Exception) -> str:
    # The library's words about a patch, of which they may show parts: never more than a line.
    return " ".join(str(error).split())[:300] or type(error).__name__
