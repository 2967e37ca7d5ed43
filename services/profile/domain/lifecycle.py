"""How far the relationship has come, by rules that operators may change: the first stage of which a sign is seen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from services.profile.domain.notes import BOOKS_OF_CASES, TALLIES
from services.profile.domain.state import State
from shared.contracts.customers import Lifecycle
from shared.runtime.faults import Fault, described, path_text
from shared.runtime.marked_yaml import FaultyYamlError, Marked, Path, read

ORDERS = "orders"
IDENTITIES = "identities."
OPEN = "open_"

_LARGEST = 1_000_000
_SIGNS = "orders, a total such as visits, open_tickets, open_complaints, open_deals, or identities.<kind>"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage, and the signs of which one suffices: each a fact with the number that it must reach."""

    stage: Lifecycle
    any: Mapping[str, int]


Stages = tuple[Stage, ...]

USUAL: Stages = (
    Stage(Lifecycle.CUSTOMER, {ORDERS: 1, "deals_won": 1}),
    Stage(Lifecycle.OPPORTUNITY, {"open_deals": 1}),
    Stage(Lifecycle.QUALIFIED, {"leads_qualified": 1}),
    Stage(Lifecycle.LEAD, {"identities.user_id": 1, "identities.email": 1, "leads": 1}),
    Stage(Lifecycle.VISITOR, {}),
)
"""What config/lifecycle.yaml says as it ships."""


def stage_of(state: State, open_cases: Mapping[str, int], stages: Stages = USUAL) -> Lifecycle:
    """Tell the stage of a customer; `open_cases` counts what is open, by book. The last stage is for everybody else."""
    for stage in stages[:-1]:
        for fact, number in stage.any.items():
            if _reader(fact)(state, open_cases) >= number:
                return stage.stage
    return stages[-1].stage


_Reader = Callable[[State, Mapping[str, int]], int]


@lru_cache(maxsize=1024)
def _reader(fact: str) -> _Reader:
    # Taken apart once: a record is drawn for every batch that a customer is in.
    if fact == ORDERS:
        return lambda state, _: state.order_count
    if fact.startswith(IDENTITIES):
        kind = fact[len(IDENTITIES) :]
        return lambda state, _: [identity.kind for identity in state.identities.values()].count(kind)
    if fact.startswith(OPEN):
        book = fact[len(OPEN) :]
        return lambda _, open_cases: open_cases.get(book, 0)
    return lambda state, _: 0 if (tally := state.tallies.get(fact)) is None else tally.count


class FaultyStagesError(ValueError):
    """The stages are not what we take; `faults` says where and why."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


def read_stages(file: str, content: bytes) -> Stages:
    """Read the stages.

    Raises:
        FaultyStagesError: names each thing that is wrong with its line.
    """
    try:
        reader = _File(file, read(file, content))
    except FaultyYamlError as error:
        raise FaultyStagesError(error.faults) from None
    stages = reader.stages()
    if reader.faults:
        raise FaultyStagesError(sorted(reader.faults))
    return stages


class _File:
    def __init__(self, file: str, marked: Marked) -> None:
        self._file = file
        self._marked = marked
        self.faults: list[Fault] = []

    def stages(self) -> Stages:
        root = self._marked.value
        listed = root.get("stages") if isinstance(root, dict) else None
        if not isinstance(listed, list) or not listed:
            self._report(("stages",), "a list of stages", described(listed))
            return USUAL
        for key in root.keys() - {"stages"}:
            self._report((key,), "stages and nothing else", described(key))
        read = [self._stage(item, number, last=number == len(listed) - 1) for number, item in enumerate(listed)]
        for number, stage in enumerate(read):
            if stage.stage in [earlier.stage for earlier in read[:number]]:
                self._report(("stages", number, "stage"), "each stage once", f"{stage.stage.value!r} again")
        return tuple(read)

    def _stage(self, item: Any, number: int, *, last: bool) -> Stage:
        path: Path = ("stages", number)
        if not isinstance(item, dict):
            self._report(path, "a mapping with stage and any", described(item))
            return USUAL[-1]
        for key in item.keys() - {"stage", "any"}:
            self._report((*path, key), "stage or any", described(key))
        name = item.get("stage")
        if name not in tuple(Lifecycle):
            self._report((*path, "stage"), f"one of {', '.join(Lifecycle)}", described(name))
            name = Lifecycle.VISITOR
        return Stage(Lifecycle(name), self._signs(item, path, last=last))

    def _signs(self, item: Mapping[str, Any], path: Path, *, last: bool) -> Mapping[str, int]:
        signs = item.get("any")
        if last:
            if signs is not None:
                self._report((*path, "any"), "no sign for the last stage, which is everybody else's", described(signs))
            return {}
        if not isinstance(signs, dict) or not signs:
            self._report((*path, "any"), "a mapping of signs to numbers", described(signs))
            return {}
        for fact, number in signs.items():
            if not _is_fact(fact):
                self._report((*path, "any", fact), _SIGNS, described(fact))
            if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _LARGEST:
                self._report((*path, "any", fact), f"a whole number from 1 to {_LARGEST:,}", described(number))
        return signs

    def _report(self, path: Path, expected: str, found: str) -> None:
        self.faults.append(Fault(self._file, self._marked.line(path), path_text(path), expected, found))


def _is_fact(fact: str) -> bool:
    if fact.startswith(IDENTITIES):
        return len(fact) > len(IDENTITIES)
    return fact == ORDERS or fact in TALLIES or (fact.startswith(OPEN) and fact[len(OPEN) :] in BOOKS_OF_CASES)
