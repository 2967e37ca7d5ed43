"""Who did what to which events, and when: rows that are only ever added, in the transaction of what they tell."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

_NOTE = "INSERT INTO audit (actor, action, subject, entries, detail) VALUES (%s, %s, %s, %s, %s)"


class Action(StrEnum):
    """What can be done."""

    READ = "quarantine.read"
    FIX = "quarantine.fix"
    REPLAY = "quarantine.replay"
    DISCARD = "quarantine.discard"
    SOURCE_ADD = "source.add"
    SOURCE_SET = "source.set"
    SOURCE_ROTATE = "source.rotate"
    SOURCE_REVOKE = "source.revoke"
    SOURCE_PAUSE = "source.pause"
    SOURCE_RESUME = "source.resume"


def note(
    connection: Connection,
    actor: str,
    action: Action,
    subject: str,
    entries: Sequence[int] = (),
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add a row; `subject` is a cause, a source or a key's id, `detail` never holds a value out of an event."""
    connection.execute(_NOTE, (actor, action.value, subject, list(entries), Jsonb(dict(detail or {}))))
