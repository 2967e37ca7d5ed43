"""Which identifiers traits and payloads claim, by the names under which senders keep them."""

from collections.abc import Mapping
from typing import Any

from services.ingest.domain.identities import Claim
from services.ingest.domain.problems import Problem, Reason, Stage, type_of
from shared.contracts.identities import IdentityKind

SPELLINGS: Mapping[str, str] = {
    "email": IdentityKind.EMAIL.value,
    "phone": IdentityKind.PHONE.value,
    "crm_id": IdentityKind.CRM_ID.value,
    "crmId": IdentityKind.CRM_ID.value,
}
"""The members that name a person, each with the kind of identifier it holds."""


def claimed(members: Mapping[str, Any], path: str) -> tuple[Claim, ...]:
    """Collect what may be an identifier; a value of another type claims nothing."""
    claims: list[Claim] = []
    for name, kind in SPELLINGS.items():
        value = members.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            claims.append(Claim(kind, value, f"{path}/{name}"))
    return tuple(claims)


def mistyped(members: Mapping[str, Any], path: str) -> Problem | None:
    """Refuse an identifier of a type that no identifier has: what was meant by it can't be guessed."""
    for name, kind in SPELLINGS.items():
        value = members.get(name)
        if value is None or isinstance(value, str):
            continue
        if type(value) is int and kind != IdentityKind.EMAIL:
            continue
        expected = "string" if kind == IdentityKind.EMAIL else "string or integer"
        return Problem(Stage.PAYLOAD, Reason.WRONG_TYPE, f"{path}/{name}", expected, type_of(value))
    return None
