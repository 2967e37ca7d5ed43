"""From a record's bytes to an event, or to the reason why there is none; nothing raises, nothing is dropped."""

from collections.abc import Sequence

from services.profile.domain.effects import UnreadablePayloadError
from services.profile.domain.event import Event, RefusedInteractionError, event_of
from services.profile.domain.months import LAST_KEY
from shared.contracts.codec import MalformedMessageError, decode
from shared.contracts.interactions import Interaction
from shared.runtime.records import Poison, Record

_MAJOR = b".v1"
_ACCEPTED = ("ce_type", b"interaction.accepted.v1")
_TYPE_AT = 3
_ESCAPED_NUL = rb"\u0000"


def read(record: Record) -> Event | Poison:
    """Read the one interaction of a record."""
    value = record.value
    if value is None:
        return Poison("empty_record", expected="an interaction", found="a tombstone")
    if not _readable_type(record.headers):
        return Poison("unknown_type", path="ce_type", expected="a type of version 1", found="another version")
    try:
        event = event_of(decode(Interaction, value))
        if not value.isascii():
            # What is passed on as bytes was not looked into; who reads it behind us must be able to.
            value.decode()
    except ValueError as error:
        return _poison(error)
    if event.key > LAST_KEY:
        return Poison("refused", path="$.dedupe_key", expected="a time before December 9999")
    if _ESCAPED_NUL in value and _has_nul(event):
        return Poison("unstorable_text", expected="text without the character U+0000")
    return event


def _readable_type(headers: Sequence[tuple[str, bytes]]) -> bool:
    # Where ingest puts it: a look at one header instead of a search through all.
    if len(headers) > _TYPE_AT and headers[_TYPE_AT] == _ACCEPTED:
        return True
    return all(content.endswith(_MAJOR) for name, content in headers if name == "ce_type")


def _poison(error: ValueError) -> Poison:
    match error:
        case RefusedInteractionError():
            return Poison("refused", path=error.path, expected=error.expected)
        case UnreadablePayloadError():
            return Poison("unreadable_payload", path=error.path, expected=error.expected)
        case MalformedMessageError():
            text, _, path = str(error).partition(" - at `")
            return Poison("malformed", path=path.rstrip("`"), expected=text)
        case UnicodeDecodeError():
            return Poison("malformed", expected="UTF-8")
    raise error


def _has_nul(event: Event) -> bool:
    said = event.interaction
    return any(
        "\0" in text
        for text in (
            *(said.message_id, said.source, said.name, said.family),
            *(text for one in said.identities for text in (one.kind, one.value)),
        )
    )
