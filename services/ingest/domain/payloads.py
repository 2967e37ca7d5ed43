"""What an event says, by its family: checked, and written as canonical JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.ingest.domain.catalogue_forms import READERS
from services.ingest.domain.circumstances import country_of_address
from services.ingest.domain.claims import claimed, mistyped
from services.ingest.domain.decoding import decode_object, encode_object
from services.ingest.domain.forms import Said
from services.ingest.domain.problems import Problem, Reason, Stage, escaped
from shared.contracts.catalogue import Family
from shared.contracts.customers import LARGEST_TRAIT, LONGEST_TRAIT_NAME, MOST_TRAITS

# Segment's specification has its reserved traits in either spelling; rules and templates need one.
_RESERVED_TRAITS = {"firstName": "first_name", "lastName": "last_name", "createdAt": "created_at"}


def payload_of(
    family: Family, name: str, body: msgspec.Raw, path: str, added: Mapping[str, str] | None
) -> Said | Problem:
    """Read the body of an event of this family; `path` is where it stands, `added` what the shape keeps beside it."""
    members = decode_object(body, Stage.PAYLOAD, path)
    if isinstance(members, Problem):
        return members
    if added:
        members.update(added)
    if family is Family.IDENTIFY:
        return _identify(members, path)
    reader = READERS.get(family)
    if reader is not None:
        return reader.read(name, members, path)
    text = encode_object(members, path)
    return text if isinstance(text, Problem) else Said(text)


def _identify(traits: dict[str, Any], path: str) -> Said | Problem:
    found = mistyped(traits, path)
    if found is not None:
        return found
    claims = claimed(traits, path)
    for theirs, ours in _RESERVED_TRAITS.items():
        if theirs in traits:
            traits.setdefault(ours, traits.pop(theirs))
    text = _too_much(traits, path) or encode_object({"traits": traits}, path)
    return text if isinstance(text, Problem) else Said(text, claims, country_of_address(traits))


def _too_much(traits: Mapping[str, Any], path: str) -> Problem | None:
    """Refuse what a customer's record has no room for."""
    if len(traits) > MOST_TRAITS:
        return Problem(Stage.LIMITS, Reason.TOO_LARGE, path, f"at most {MOST_TRAITS} traits", f"{len(traits)} traits")
    for name, value in traits.items():
        if len(name) > LONGEST_TRAIT_NAME or not name.isprintable():
            expected = f"at most {LONGEST_TRAIT_NAME} printable characters"
            return Problem(Stage.LIMITS, Reason.BAD_CHARACTER, f"{path}/{escaped(name)}", expected, "another name")
        text = encode_object(value, path)
        if isinstance(text, bytes) and len(text) > LARGEST_TRAIT:
            expected, found = f"at most {LARGEST_TRAIT} bytes", f"{len(text)} bytes"
            return Problem(Stage.LIMITS, Reason.TOO_LARGE, f"{path}/{escaped(name)}", expected, found)
    return None
