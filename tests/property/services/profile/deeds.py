"""Decisions of people about whoever was seen so far, drawn from a seeded chance."""

import random
from collections.abc import Sequence
from datetime import timedelta

from services.profile.domain.decisions import Decision, Kind
from tests.property.services.profile.strategies import START

_TWO = 2
_KINDS = (Kind.MERGE, Kind.MERGE, Kind.UNMERGE, Kind.UNMERGE, Kind.SPLIT, Kind.BLOCK, Kind.UNBLOCK, Kind.UNBLOCK)


def deed(chance: random.Random, known: Sequence[str], before: Sequence[Decision]) -> Decision:
    """Draw a decision about identities out of `known`, two at least; it may be older than those `before`."""
    decided_at = START + timedelta(minutes=chance.randint(0, 60))
    name = f"{chance.getrandbits(128):032x}"
    kind = chance.choice(_KINDS)
    merges = [one for one in before if one.kind is Kind.MERGE]
    if kind is Kind.UNMERGE and merges and chance.random() < 0.7:
        undone = chance.choice(merges)
        return Decision(name, decided_at, kind, undone.identities, undone.id)
    blocked = [one for one in before if one.kind is Kind.BLOCK]
    if kind is Kind.UNBLOCK and blocked and chance.random() < 0.8:
        undone = chance.choice(blocked)
        return Decision(name, undone.decided_at + timedelta(minutes=1), kind, undone.identities)
    many = {Kind.SPLIT: chance.randint(_TWO, min(4, len(known))), Kind.BLOCK: 1, Kind.UNBLOCK: 1}.get(kind, _TWO)
    return Decision(name, decided_at, kind, tuple(chance.sample(known, many)))
