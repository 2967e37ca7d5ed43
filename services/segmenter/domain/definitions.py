"""A definition is one segment as a file says it: its name, what it is for, and its rule."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from services.segmenter.domain.rules import PARTS, Rule, expected
from services.segmenter.domain.segment_names import is_segment_name
from shared.contracts.codec import canonical
from shared.runtime import marked_yaml
from shared.runtime.faults import Fault, described, path_text, shortened
from shared.runtime.marked_yaml import FaultyYamlError, Marked

_MISSING = {
    "segment": "the segment's name",
    "rule": "a rule",
    "operator": "an operator",
    "value": "a value",
}
_LONGEST_DESCRIPTION = 500


class FaultyDefinitionsError(ValueError):
    """One or more files are no definitions; `faults` are in the order of the files and their lines."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


def _segment(value: Any) -> Any:
    if not isinstance(value, str) or not is_segment_name(value):
        raise expected("a name of up to 63 lower-case letters, digits and hyphens that starts with a letter")
    return value


def _description(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > _LONGEST_DESCRIPTION:
        raise expected(f"a text of at most {_LONGEST_DESCRIPTION} characters")
    return value


class Definition(BaseModel):
    """A segment's definition; two with the same `content` mean the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    segment: Annotated[str, BeforeValidator(_segment)]
    description: Annotated[str, BeforeValidator(_description)] = ""
    rule: Rule

    @property
    def content(self) -> bytes:
        """Return the hash of what the rule says, whatever the file's layout, comments and description."""
        return hashlib.sha256(canonical(self.rule.model_dump())).digest()


def read(file: str, content: bytes) -> Definition:
    """Read one definition.

    Raises:
        FaultyDefinitionsError: names each thing that is wrong with its line.
    """
    return _read(file, content)[0]


def read_all(files: Sequence[tuple[str, bytes]]) -> tuple[Definition, ...]:
    """Read definitions, each (file name, content), and check that no two have one name.

    Raises:
        FaultyDefinitionsError: names each thing that is wrong in each file.
    """
    faults: list[Fault] = []
    owner: dict[str, str] = {}
    definitions = []
    for file, content in files:
        try:
            definition, line = _read(file, content)
        except FaultyDefinitionsError as faulty:
            faults += faulty.faults
            continue
        if definition.segment in owner:
            found = f"{definition.segment!r}, which {owner[definition.segment]} has"
            faults.append(Fault(file, line, "segment", "a name of its own", found))
        owner.setdefault(definition.segment, file)
        definitions.append(definition)
    if faults:
        raise FaultyDefinitionsError(faults)
    return tuple(definitions)


def _read(file: str, content: bytes) -> tuple[Definition, int]:
    try:
        document = marked_yaml.read(file, content)
    except FaultyYamlError as faulty:
        raise FaultyDefinitionsError(faulty.faults) from None
    if not isinstance(document.value, dict):
        found = described(document.value)
        raise FaultyDefinitionsError(
            [Fault(file, document.line(()), "definition", "a mapping with segment and rule", found)]
        )
    try:
        return Definition.model_validate(document.value), document.line(("segment",))
    except ValidationError as wrong:
        faults = [_fault(file, document, error) for error in wrong.errors(include_url=False)]
        raise FaultyDefinitionsError(sorted(faults)) from None


def _fault(file: str, document: Marked, error: ErrorDetails) -> Fault:
    # The last step is always a key or an index: what reads there like a tag is a key that somebody wrote.
    path = (*(step for step in error["loc"][:-1] if step not in PARTS), *error["loc"][-1:])
    line = document.line(path)
    shown = path_text(path)
    if error["type"] == "missing":
        last = str(path[-1])
        return Fault(file, line, shown, _MISSING.get(last, "a value"), "nothing")
    if error["type"] == "extra_forbidden":
        key = shortened(str(path[-1]))
        return Fault(file, line, shown, _keys_beside(error["loc"]), f"the unknown key {key!r}")
    return Fault(file, line, shown, error["msg"], described(error["input"]))


def _keys_beside(location: tuple[int | str, ...]) -> str:
    """Tell which keys the part has that an unknown key was found in."""
    tag = location[-2] if len(location) > 1 else ""
    part: type[BaseModel] = PARTS.get(str(tag), Definition)
    keys = [info.alias or name for name, info in part.model_fields.items()]
    return f"only {', '.join(keys)}" if len(keys) == 1 else f"one of {', '.join(keys)}"
