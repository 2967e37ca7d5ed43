"""Rules and decisions as plain data, as files and people have them: what the oracle is told."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.profile.domain.decisions import Applied
from services.profile.domain.identity_rules import IdentityRules
from tests.property.services.profile.histories import Blocked, Said, Step


def plainly(rules: IdentityRules) -> Mapping[str, Any]:
    """Write rules as their file has them."""
    return {
        "priority": list(rules.priority),
        "limits": dict(rules.limits),
        "most_partners": rules.most_partners,
        "devices": sorted(rules.devices),
        "device_follows": rules.device_follows.value,
        "blocked": {kind: sorted(values) for kind, values in rules.blocked.items()},
    }


def decisions(steps: Iterable[Step]) -> list[Mapping[str, Any]]:
    """Write what people decided as the oracle is told it."""
    found: list[Mapping[str, Any]] = []
    for step in steps:
        if isinstance(step, Said):
            mark = step.word.mark
            pair = step.one, step.other
            found.append({"at": mark.at, "id": mark.message_id, "verdict": step.word.verdict.value, "pair": pair})
        elif isinstance(step, Blocked):
            mark, verdict = step.block.mark, "block" if step.block.blocked else "unblock"
            found.append({"at": mark.at, "id": mark.message_id, "verdict": verdict, "identity": step.name})
    return found


def ruled(applied: Iterable[Applied]) -> list[Mapping[str, Any]]:
    """Write what came of decisions as the oracle is told it."""
    found: list[Mapping[str, Any]] = []
    for one in applied:
        mark = {"at": one.decision.mark.at, "id": one.decision.mark.message_id}
        found += [{**mark, "verdict": said.verdict.value, "pair": (said.one, said.other)} for said in one.ruling.said]
        found += [
            {**mark, "verdict": "block" if blocked else "unblock", "identity": name}
            for name, blocked in one.ruling.blocked
        ]
    return found
