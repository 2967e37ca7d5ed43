"""Which identifiers may make one customer: limits, priorities, devices and values that stand for nobody, as data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.runtime.faults import Fault, described, path_text
from shared.runtime.marked_yaml import FaultyYamlError, Marked, Path, read

OTHERS = "others"
"""What a file calls every kind that it does not name."""

_KEYS = ("priority", "limits", "most_partners", "devices", "device_follows", "blocked")
_LARGEST_LIMIT = 100_000


class DeviceFollows(StrEnum):
    """Whose a device is on which several people signed in."""

    LAST_SIGNED_IN = "last_signed_in"
    VISIT = "visit"


@dataclass(frozen=True, slots=True)
class IdentityRules:
    """The rules as they hold for every customer; the first kind of `priority` is the one that signs in."""

    priority: tuple[str, ...] = ("user_id", "email")
    limits: Mapping[str, int] = field(
        default_factory=lambda: {"user_id": 1, "email": 5, "phone": 5, "anonymous_id": 50, OTHERS: 5}
    )
    most_partners: int = 1000
    devices: frozenset[str] = frozenset({"anonymous_id", "ios.id", "android.id"})
    device_follows: DeviceFollows = DeviceFollows.LAST_SIGNED_IN
    blocked: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def limit(self, kind: str) -> int:
        """Return how many identifiers of a kind one customer may have."""
        found = self.limits.get(kind)
        return self.limits[OTHERS] if found is None else found

    def rank(self, kind: str) -> tuple[int, str]:
        """Order kinds, strongest first: those of `priority`, then by name."""
        return (self.priority.index(kind) if kind in self.priority else len(self.priority), kind)

    def signs_in(self, kind: str) -> bool:
        """Tell whether identifiers of this kind are people who signed in."""
        return kind == self.priority[0]

    def blocks(self, kind: str, value: str) -> bool:
        """Tell whether a value of this kind stands for nobody."""
        found = self.blocked.get(kind)
        return value.casefold() in (self.blocked.get(OTHERS, frozenset()) if found is None else found)


class FaultyRulesError(ValueError):
    """The identity rules are not what we take; `faults` says where and why."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def read_rules(file: str, content: bytes) -> IdentityRules:
    """Read the rules; what a file does not say stays as `IdentityRules` has it.

    Raises:
        FaultyRulesError: names each thing that is wrong with its line.
    """
    try:
        reader = _Reader(file, read(file, content))
    except FaultyYamlError as error:
        raise FaultyRulesError(error.faults) from None
    rules = reader.rules()
    if reader.faults:
        raise FaultyRulesError(sorted(reader.faults))
    return rules


class _Reader:
    def __init__(self, file: str, marked: Marked) -> None:
        self._file = file
        self._marked = marked
        self.faults: list[Fault] = []

    def rules(self) -> IdentityRules:
        usual = IdentityRules()
        said = self._mapping(self._marked.value, ())
        for key in said.keys() - set(_KEYS):
            self._report((key,), f"one of {', '.join(_KEYS)}", repr(key))
        priority = tuple(self._texts(said, ("priority",), usual.priority))
        if not priority:
            self._report(("priority",), "at least one kind", "none")
        limits = self._limits(said, usual.limits)
        if priority and limits.get(priority[0], 1) != 1:
            path = ("limits", priority[0])
            self._report(path, "1, for it is the kind that signs in", described(limits[priority[0]]))
        return IdentityRules(
            priority or usual.priority,
            {**limits, **({priority[0]: 1} if priority else {})},
            self._count(said.get("most_partners", usual.most_partners), ("most_partners",)),
            frozenset(self._texts(said, ("devices",), usual.devices)),
            self._device_follows(said, usual.device_follows),
            self._blocked(said),
        )

    def _limits(self, said: Mapping[str, Any], usual: Mapping[str, int]) -> dict[str, int]:
        found = self._mapping(said.get("limits", {}), ("limits",))
        return {**usual, **{kind: self._count(most, ("limits", kind)) for kind, most in found.items()}}

    def _device_follows(self, said: Mapping[str, Any], usual: DeviceFollows) -> DeviceFollows:
        found = said.get("device_follows", usual.value)
        if found not in tuple(DeviceFollows):
            self._report(("device_follows",), f"one of {', '.join(DeviceFollows)}", described(found))
            return usual
        return DeviceFollows(found)

    def _blocked(self, said: Mapping[str, Any]) -> dict[str, frozenset[str]]:
        found = self._mapping(said.get("blocked", {}), ("blocked",))
        everywhere = {value.casefold() for value in self._texts(found, ("blocked", OTHERS), ())}
        named = {
            kind: frozenset({value.casefold() for value in self._texts(found, ("blocked", kind), ())} | everywhere)
            for kind in found
        }
        return {**named, OTHERS: frozenset(everywhere)}

    def _mapping(self, value: Any, path: Path) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self._report(path, "a mapping", described(value))
        return {}

    def _texts(self, said: Mapping[str, Any], path: Path, usual: Iterable[str]) -> list[str]:
        value = said.get(str(path[-1]), usual)
        if value is usual:
            return list(usual)
        if not isinstance(value, list):
            self._report(path, "a list of texts", described(value))
            return []
        for number, item in enumerate(value):
            if not isinstance(item, str) or not item:
                self._report((*path, number), "a text", described(item))
            elif item in value[:number]:
                self._report((*path, number), "each once", f"{item!r} again")
        return [item for item in value if isinstance(item, str)]

    def _count(self, value: Any, path: Path) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST_LIMIT:
            return value
        self._report(path, f"a whole number from 1 to {_LARGEST_LIMIT:,}", described(value))
        return 1

    def _report(self, path: Path, expected: str, found: str) -> None:
        line = self._marked.line(path)
        self.faults.append(Fault(self._file, line, path_text(path), expected, found))
