"""Histories of several people on several devices: events that name some of them, and decisions of people between."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import strategies as st

from services.profile.domain.identity_rules import OTHERS, DeviceFollows, IdentityRules
from services.profile.domain.links import Block, Cause, Edge, Mark, Node, Verdict, Word, edge
from tests.unit.services.profile.identity_book import IdentityBook

START = datetime(2026, 3, 1, tzinfo=UTC)
LAST = Mark(START + timedelta(days=1), "last")
"""When the last identity is seen that people decided about."""
KINDS = {"u": "user_id", "e": "email", "p": "phone", "d": "anonymous_id"}
NAMES = [f"{letter}{number}" for letter, most in (("u", 2), ("e", 3), ("p", 1), ("d", 3)) for number in range(most)]


class Seen(msgspec.Struct, frozen=True):
    """An event that names these, strongest first."""

    names: tuple[str, ...]
    mark: Mark
    cause: Cause = Cause.EVENT


class Said(msgspec.Struct, frozen=True):
    """Somebody decided about a pair."""

    one: str
    other: str
    word: Word


class Blocked(msgspec.Struct, frozen=True):
    """Somebody decided about one."""

    name: str
    block: Block


Step = Seen | Said | Blocked


def rules_of(most_partners: int, follows: DeviceFollows, most: int = 2) -> IdentityRules:
    limits = {"user_id": 1, "email": most, "phone": 1, "anonymous_id": most + 1, OTHERS: most}
    return IdentityRules(limits=limits, most_partners=most_partners, device_follows=follows)


rules = st.builds(rules_of, st.sampled_from([2, 3, 5, 100]), st.sampled_from(DeviceFollows), st.integers(1, 3))

_marks = st.builds(
    lambda minute, number: Mark(START + timedelta(minutes=minute), f"m-{number}"), st.integers(0, 12), st.integers(0, 3)
)
_named = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(
    lambda names: tuple(
        sorted(names, key=lambda name: ("uedpc".index(name[0]) if name[0] in "ue" else 2, KINDS[name[0]], name))
    )
)
_seen = st.builds(Seen, _named, _marks, st.sampled_from([Cause.EVENT, Cause.EVENT, Cause.ALIAS]))
_said = st.builds(
    lambda names, mark, verdict: Said(names[0], names[1], Word(mark, verdict)),
    st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True),
    _marks,
    st.sampled_from(Verdict),
)
_blocked = st.builds(
    lambda name, mark, blocked: Blocked(name, Block(mark, blocked)), st.sampled_from(NAMES), _marks, st.booleans()
)
_steps = st.one_of(_seen, _seen, _seen, _seen, _said, _blocked)
events = st.lists(_seen, min_size=1, max_size=8) | st.lists(_seen, min_size=12, max_size=24)
histories = st.lists(_steps, min_size=1, max_size=8) | st.lists(_steps, min_size=12, max_size=24)


def edges_of(seen: Seen) -> list[Edge]:
    """List the edges of an event: from the strongest identity to each other."""
    first, *others = seen.names
    return [edge(first, other, seen.mark, seen.cause) for other in others]


def told(book: IdentityBook, steps: list[Step]) -> IdentityBook:
    """Apply steps in this order."""
    for step in steps:
        _tell(book, step)
    return book


def _tell(book: IdentityBook, step: Step) -> None:
    match step:
        case Seen(names, mark):
            for name in names:
                book.meet(Node(name, KINDS[name[0]], mark.at))
            for one in edges_of(step):
                book.take(one)
        case Said(one, other, word):
            _meet_all(book, (one, other))
            book.decide(one, other, word)
        case Blocked(name, block):
            _meet_all(book, (name,))
            book.block(name, block)


def _meet_all(book: IdentityBook, names: tuple[str, ...]) -> None:
    # People decide about those whom an event named; here that event comes last of all.
    for name in names:
        book.meet(Node(name, KINDS[name[0]], START + timedelta(days=1)))
