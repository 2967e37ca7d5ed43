"""YAML as plain values with the line of each: one document, no aliases or tags, bounded in size and depth.

Scalars are read as YAML 1.2 does: `no` is a text, 1.10 keeps its digits, and a time stays as it was written.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from shared.runtime.faults import Fault, described, path_text

LARGEST_BYTES = 64 * 1024
DEEPEST = 24

Path = tuple[str | int, ...]

_WHOLE = re.compile(r"[-+]?[0-9]{1,30}")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,30}\.[0-9]{0,30}|\.[0-9]{1,30})")
_CONSTANTS: dict[str, Any] = {"": None, "null": None, "~": None, "true": True, "false": False}


class FaultyYamlError(ValueError):
    """The text is not what we take as YAML; `faults` says where and why."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class Marked:
    """A document's plain value, and the line where each path's key (or item) stands."""

    __slots__ = ("_lines", "value")

    def __init__(self, value: Any, lines: dict[Path, int]) -> None:
        self.value = value
        self._lines = lines

    def line(self, path: Path) -> int:
        """Return the line of a path, or of the nearest thing above it that stands in the file."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def read(file: str, content: bytes) -> Marked:
    """Read one document.

    Raises:
        FaultyYamlError: too large, not UTF-8, not YAML, more than one document, too deep, an alias, a tag, a key that
            is no text or comes twice.
    """
    if len(content) > LARGEST_BYTES:
        raise _faulty(file, 1, f"at most {LARGEST_BYTES} bytes", "more")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _faulty(file, line, "UTF-8 text", f"the byte 0x{content[error.start]:02x}") from None
    reader = _Reader(file)
    try:
        return reader.document(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _faulty(file, mark.line + 1 if mark else 1, "YAML", _problem(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _faulty(file, line, "printable text", f"the character U+{ord(text[error.position]):04X}") from None


def _problem(error: yaml.MarkedYAMLError) -> str:
    return " ".join(part for part in (error.context, error.problem) if part) or "a syntax error"


def _faulty(file: str, line: int, expected: str, found: str, path: Path = ()) -> FaultyYamlError:
    return FaultyYamlError([Fault(file, line, path_text(path) if path else "file", expected, found)])


class _Reader:
    """Builds values from parser events, which unlike nodes cost nothing when an alias or the depth is refused."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._lines: dict[Path, int] = {}
        self._faults: list[Fault] = []

    def document(self, events: Iterator[yaml.Event]) -> Marked:
        value = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _faulty(self._file, _line(event), "one document", "another one")
                value = self._value(next(events), events, ())
        if self._faults:
            raise FaultyYamlError(self._faults)
        return Marked(value, self._lines)

    def _value(self, event: Any, events: Iterator[yaml.Event], path: Path) -> Any:
        line = _line(event)
        self._lines.setdefault(path, line)
        if isinstance(event, yaml.AliasEvent):
            raise _faulty(self._file, line, "values written out", f"the alias *{event.anchor}", path)
        if event.anchor is not None:
            raise _faulty(self._file, line, "values written out", f"the anchor &{event.anchor}", path)
        if event.tag is not None and event.tag != "!":
            raise _faulty(self._file, line, "no tag", described(event.tag), path)
        if len(path) > DEEPEST:
            raise _faulty(self._file, line, f"at most {DEEPEST} levels", "more", path[:4])
        if isinstance(event, yaml.ScalarEvent):
            self._check_text(event, path)
            return event.value if event.style is not None else _plain(event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        return self._mapping(events, path)

    def _sequence(self, events: Iterator[yaml.Event], path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._value(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[yaml.Event], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None or event.tag not in {None, "!"}:
                raise _faulty(self._file, line, "a text as key", "something else", path)
            self._check_text(event, path)
            key = event.value
            here = (*path, key)
            if key in found:
                shown = path_text(here)
                self._faults.append(Fault(self._file, line, shown, "each key once", "it a second time"))
            self._lines[here] = line
            found[key] = self._value(next(events), events, here)
        return found

    def _check_text(self, event: yaml.ScalarEvent, path: Path) -> None:
        # An escape such as "\ud800" makes half a character, which nothing can store or print.
        if any("\ud800" <= character <= "\udfff" for character in event.value):
            raise _faulty(self._file, _line(event), "whole characters", "half of a surrogate pair", path)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _plain(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    return text
