"""What was said about a trait, newest first, with which of it counts and why."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from services.profile.domain.sections import UNSET
from services.profile.domain.state import Register, State
from shared.contracts.customers import MOST_TRAITS

COUNTS = "Said last, by event time."
COUNTS_OF_SEVERAL = "Said last, by event time; of what was said at that time, its message id is the greatest."
UNSETS = "Said last, by event time: it takes the trait away."
LATER = "Something was said later."
LESSER = "Something was said at the same time under a greater message id."
CROWDED_OUT = f"A record has room for {MOST_TRAITS} traits, and as many others were written later."


class Said(msgspec.Struct, frozen=True):
    """A value of a trait as one event said it, as JSON bytes, and by which of the customer's identities."""

    at: datetime
    message_id: str
    source: str
    identity_id: str
    value: bytes


class Word(msgspec.Struct, frozen=True):
    """What was said, whether it counts, and why or why not."""

    at: datetime
    source: str
    message_id: str
    identity_id: str
    value: msgspec.Raw
    counts: bool
    why: str


def judged(said: Iterable[Said], state: State, trait: str) -> list[Word]:
    """Judge what was said by the register that the customer's record is drawn from; newest first.

    Whether something counts is told by the register alone, so a part of what was said is judged as the whole is.
    """
    ordered = sorted(said, key=_rank, reverse=True)
    register = state.traits.get(trait)
    times = [one.at for one in ordered]
    return [_word(one, register, times.count(one.at)) for one in ordered]


def _rank(said: Said) -> tuple[datetime, str, str, bytes]:
    return said.at, said.message_id, said.source, said.value


def _word(said: Said, register: Register | None, at_that_time: int) -> Word:
    counts = register is not None and _rank(said) == (
        register.at,
        register.message_id,
        register.source,
        register.value,
    )
    why = _why(said, register, at_that_time, counts=counts)
    return Word(said.at, said.source, said.message_id, said.identity_id, msgspec.Raw(said.value), counts, why)


def _why(said: Said, register: Register | None, at_that_time: int, *, counts: bool) -> str:
    if register is None:
        return CROWDED_OUT
    if not counts:
        return LATER if said.at < register.at else LESSER
    if said.value == UNSET:
        return UNSETS
    return COUNTS_OF_SEVERAL if at_that_time > 1 else COUNTS
