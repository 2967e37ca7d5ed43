"""A draft becomes an interaction, or a problem that says why it cannot."""

from datetime import datetime
from functools import lru_cache

import msgspec

from services.ingest.domain.decoding import decode_object, encode_object
from services.ingest.domain.draft import NOTHING, Draft
from services.ingest.domain.fingerprint import dedupe_key, payload_hash
from services.ingest.domain.identities import Blocked, Identities
from services.ingest.domain.payloads import payload_of
from services.ingest.domain.problems import Problem, Reason, Stage
from services.ingest.domain.sources import Source, Strictness
from services.ingest.domain.times import happened, microseconds
from shared.contracts.catalogue import family_of, is_known
from shared.contracts.identities import IdentityKind, IdentityRef, strength
from shared.contracts.interactions import Interaction

LONGEST_MESSAGE_ID = 100
LONGEST_NAME = 255
_USUAL_CONTEXT = 1024

_USER_ID = IdentityKind.USER_ID.value
_ANONYMOUS_ID = IdentityKind.ANONYMOUS_ID.value


def accept(
    draft: Draft, identities: Identities, source: Source, received: datetime, message_id: str
) -> Interaction | Problem:
    """Check a draft and name it; `message_id` is the event's own or the one derived from its place."""
    paths = draft.paths
    name = draft.name
    found = _text(message_id, LONGEST_MESSAGE_ID, paths.message_id) or _text(name, LONGEST_NAME, paths.name)
    if found is not None:
        return found
    if source.strictness is Strictness.STRICT and not is_known(name):
        return Problem(Stage.ENVELOPE, Reason.UNKNOWN_EVENT, paths.name, "a name of the catalogue", "another name")
    people = _identities(draft, identities)
    if isinstance(people, Problem):
        return people
    family = family_of(name)
    payload = payload_of(family, name, draft.body, paths.body, draft.added)
    if isinstance(payload, Problem):
        return payload
    context = _context(draft)
    if isinstance(context, Problem):
        return context
    first = draft.first
    original = None if first is None else microseconds(first)
    said = msgspec.Raw(payload)
    return Interaction(
        message_id=message_id,
        source=draft.source,
        name=name,
        family=family.value,
        occurred_at=happened(draft.said, draft.original, draft.sent, received),
        received_at=received,
        identities=people,
        payload=said,
        context=context,
        dedupe_key=dedupe_key(draft.source, message_id, original),
        payload_hash=payload_hash(name, people, said, original),
    )


def _text(value: str, longest: int, path: str) -> Problem | None:
    if len(value) > longest:
        return Problem(Stage.LIMITS, Reason.TOO_LONG, path, f"at most {longest} characters", f"{len(value)} characters")
    if not value.isprintable():
        return Problem(Stage.ENVELOPE, Reason.BAD_CHARACTER, path, "printable text", "other characters")
    return None


def _identities(draft: Draft, identities: Identities) -> tuple[IdentityRef, ...] | Problem:
    """Collect the identities of a draft, strongest first."""
    user = identities.read(_USER_ID, draft.user_id)
    anonymous = identities.read(_ANONYMOUS_ID, draft.anonymous_id)
    if isinstance(user, IdentityRef):
        if isinstance(anonymous, IdentityRef):
            return (user, anonymous) if strength(user) < strength(anonymous) else (anonymous, user)
        return anonymous.under(draft.paths.anonymous_id) if isinstance(anonymous, Problem) else (user,)
    if isinstance(user, Problem):
        return user.under(draft.paths.user_id)
    if isinstance(anonymous, IdentityRef):
        return (anonymous,)
    if isinstance(anonymous, Problem):
        return anonymous.under(draft.paths.anonymous_id)
    blocked = isinstance(user, Blocked) or isinstance(anonymous, Blocked)
    path = draft.paths.anonymous_id if isinstance(anonymous, Blocked) else draft.paths.user_id
    found = "a value that stands for nobody" if blocked else "nothing"
    return Problem(Stage.IDENTITY, Reason.NO_IDENTITY, path, "a user id or an anonymous id", found)


def _context(draft: Draft) -> msgspec.Raw | Problem:
    if draft.context is NOTHING:
        return NOTHING
    text = bytes(draft.context)
    return _usual(text, draft.paths.context) if len(text) <= _USUAL_CONTEXT else _settled(text, draft.paths.context)


def _settled(text: bytes, path: str) -> msgspec.Raw | Problem:
    members = decode_object(text, Stage.ENVELOPE, path)
    if isinstance(members, Problem):
        return members
    settled = encode_object(members, path)
    return settled if isinstance(settled, Problem) else msgspec.Raw(settled)


# Servers say the same of each event, to the byte.
_usual = lru_cache(maxsize=1024)(_settled)
