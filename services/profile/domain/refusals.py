"""Which pairs that events name together are not linked, told when first met: an attack shows in their number."""

from collections import Counter
from collections.abc import Mapping

from services.profile.domain.census import Census
from services.profile.domain.graph import strength
from shared.contracts.identities import IdentityKind

OTHERS = "others"
KINDS = (*(str(kind) for kind in IdentityKind), OTHERS)
"""Every kind by which they are told; one that its sender named is among the others."""

Refusals = Mapping[tuple[str, str], int]
"""How many by reason and kind: that of which there would be too many, else that of the weaker identity."""


def refusals(census: Census) -> Refusals:
    """Count what a census did not link."""
    found: Counter[tuple[str, str]] = Counter()
    for pair, at_first in census.fresh.items():
        resolved = pair[0] in census.resolved and pair[1] in census.resolved
        one = census.dropped.get(pair) if resolved else at_first
        if one is None:
            continue
        weaker = max((census.people[name].node for name in pair), key=lambda node: strength(node, census.rules))
        kind = one.kind or weaker.kind
        found[one.why.value, kind if kind in KINDS else OTHERS] += 1
    return found
