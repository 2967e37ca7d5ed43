"""A draft becomes an interaction, or a problem that says why it cannot."""

from datetime import datetime

import msgspec

from services.ingest.domain.circumstances import circumstances
from services.ingest.domain.draft import Draft
from services.ingest.domain.fingerprint import dedupe_key, payload_hash
from services.ingest.domain.identities import Identities
from services.ingest.domain.payloads import payload_of
from services.ingest.domain.people import identify
from services.ingest.domain.problems import Problem, Reason, Stage
from services.ingest.domain.sources import Source, Strictness
from services.ingest.domain.times import happened, microseconds
from shared.contracts.catalogue import family_of, is_known
from shared.contracts.interactions import Interaction

LONGEST_MESSAGE_ID = 100
LONGEST_NAME = 255


def accept(
    draft: Draft, identities: Identities, source: Source, received: datetime, message_id: str
) -> Interaction | Problem:
    """Check a draft and name it; `message_id` is the event's own or the one derived from its place."""
    paths = draft.paths
    name = draft.name
    found = _unsuitable(draft, source, message_id)
    if found is not None:
        return found
    at = happened(draft, received)
    if isinstance(at, Problem):
        return at
    family = family_of(name)
    said = payload_of(family, name, draft.body, paths.body, draft.added)
    if isinstance(said, Problem):
        return said
    around = circumstances(draft.context, paths.context, source.zone)
    if isinstance(around, Problem):
        return around
    claims = said.claims + around.claims
    people = identify(draft, claims, identities, source.region or said.country or around.country)
    if isinstance(people, Problem):
        return people
    first = draft.first
    original = None if first is None else microseconds(first)
    payload = msgspec.Raw(said.text)
    return Interaction(
        message_id=message_id,
        source=draft.source,
        name=name,
        family=family.value,
        occurred_at=at,
        received_at=received,
        identities=people,
        payload=payload,
        context=around.context,
        dedupe_key=dedupe_key(draft.source, message_id, original),
        payload_hash=payload_hash(name, people, payload, original),
    )


def _unsuitable(draft: Draft, source: Source, message_id: str) -> Problem | None:
    name, paths = draft.name, draft.paths
    found = _text(message_id, LONGEST_MESSAGE_ID, paths.message_id) or _text(name, LONGEST_NAME, paths.name)
    if found is None and source.strictness is Strictness.STRICT and not is_known(name):
        return Problem(Stage.ENVELOPE, Reason.UNKNOWN_EVENT, paths.name, "a name of the catalogue", "another name")
    return found


def _text(value: str, longest: int, path: str) -> Problem | None:
    if len(value) > longest:
        return Problem(Stage.LIMITS, Reason.TOO_LONG, path, f"at most {longest} characters", f"{len(value)} characters")
    if not value.isprintable():
        return Problem(Stage.ENVELOPE, Reason.BAD_CHARACTER, path, "printable text", "other characters")
    return None
