"""Interactions of few people on many devices, with addresses that they share: limits are hit, devices change hands."""

import random
from datetime import timedelta

from hypothesis import strategies as st

from shared.contracts.interactions import Interaction
from tests.property.services.profile.histories import KINDS
from tests.property.services.profile.strategies import START, interaction, said

NAMES = [f"{letter}{number}" for letter, most in (("u", 3), ("e", 4), ("p", 2), ("d", 4)) for number in range(most)]
_named = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
_minutes = st.integers(0, 30)


def _all(drawn: list[tuple[tuple[str, str, object], list[str], int]]) -> list[Interaction]:
    return [
        interaction(
            f"m-{number}",
            what,
            [(KINDS[name[0]], name) for name in names],
            occurred_at=START + timedelta(minutes=minute),
            received_at=START + timedelta(minutes=minute),
        )
        for number, (what, names, minute) in enumerate(drawn)
    ]


_drawn = st.tuples(said, _named, _minutes)
crowds = (st.lists(_drawn, min_size=1, max_size=8) | st.lists(_drawn, min_size=12, max_size=30)).map(_all)

_SAID: list[tuple[str, str, object]] = [
    ("Order Completed", "order", {"total": {"amount": "3.5", "currency": "EUR"}}),
    ("Product Viewed", "browse", {"product_id": "p"}),
    ("Identify", "identify", {"traits": {"city": "Wien"}}),
    ("Identify", "identify", {"traits": {"city": "Graz"}}),
    ("Unsubscribed", "consent", {}),
]


def crowd(chance: random.Random) -> list[Interaction]:
    """Make one such history without Hypothesis, for where each costs a database."""
    last = chance.choice([3, 30])
    return _all(
        [
            (chance.choice(_SAID), chance.sample(NAMES, chance.choice([1, 1, 2, 2, 3, 4])), chance.randint(0, last))
            for _ in range(chance.choice([3, 6, 12, 25, 40]))
        ]
    )
