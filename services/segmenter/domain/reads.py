"""The facts that a rule reads: which events, and whether the record, so that others never wake it."""

from collections.abc import Iterator

import msgspec

from services.segmenter.domain.rules import All, AnyOf, Compare, Count, Not, Rule


class Reads(msgspec.Struct, frozen=True):
    """What a rule depends on: names of events, paths in the record, and whether time alone can change it."""

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
