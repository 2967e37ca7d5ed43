"""The facts that a rule reads: which events and which fields, so that nothing else wakes it."""

from collections.abc import Iterator

import msgspec

from services.segmenter.domain.rules import All, AnyOf, Compare, Count, Not, Rule


class Reads(msgspec.Struct, frozen=True):
    """What a rule depends on: names of events, and paths in the record."""

    events: frozenset[str]
    fields: frozenset[str]


def reads(rule: Rule) -> Reads:
    """Collect what a rule reads."""
    leaves = tuple(_leaves(rule))
    return Reads(
        frozenset(leaf.count for leaf in leaves if isinstance(leaf, Count)),
        frozenset(leaf.field for leaf in leaves if isinstance(leaf, Compare)),
    )


def _leaves(rule: Rule) -> Iterator[Compare | Count]:
    match rule:
        case All():
            parts = rule.all
        case AnyOf():
            parts = rule.any
        case Not():
            parts = (rule.part,)
        case Compare() | Count():
            yield rule
            return
    for part in parts:
        yield from _leaves(part)
