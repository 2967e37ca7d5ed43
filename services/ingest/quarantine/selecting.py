"""Which entries are meant, and how they are taken: page by page in the order of their numbers, bounded in bytes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, LiteralString, TypeAlias

import msgspec
from psycopg import Connection

from services.ingest.adapters.postgres_quarantine import UNSETTLED
from services.ingest.domain.replaying import Kept

PAGE_ENTRIES = 500
PAGE_BYTES = 8 * 1024 * 1024


class State(StrEnum):
    """What was done about an entry; the last two are settled."""

    OPEN = "open"
    FIXED = "fixed"
    REPLAYING = "replaying"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Everything:
    """All that nobody has settled."""


@dataclass(frozen=True, slots=True)
class OfCause:
    """The entries of one cause."""

    cause: str


@dataclass(frozen=True, slots=True)
class Named:
    """Single entries, by number."""

    entries: tuple[int, ...]


Scope: TypeAlias = Everything | OfCause | Named

MENDABLE: LiteralString = "state IN ('open', 'fixed')"
SENDABLE: LiteralString = "(state IN ('open', 'fixed') OR state = 'replaying' AND sent_at IS NULL)"
"""What a replay that was killed had marked and may not have sent is sent again: twice sent is once accepted."""
SENDABLE_AGAIN: LiteralString = "state IN ('open', 'fixed', 'replaying')"

_COLUMNS: LiteralString = """
    id, topic, lane, record_offset, event_index, appended_at, source, cause, state, received_at, ticket, original,
    around, key, headers, mended, mended_headers
"""
_PAGE: LiteralString = """
    WITH near AS (
        SELECT id, octet_length(coalesce(mended, original, '')) AS size FROM quarantine
        WHERE {unsettled} AND {states} AND {scope} AND id > %(after)s AND id <= %(upto)s ORDER BY id LIMIT %(limit)s
    ), page AS (
        SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM near) AS sized
        WHERE before < %(bytes)s
    )
    SELECT {columns} FROM quarantine JOIN page USING (id) ORDER BY id FOR UPDATE OF quarantine
"""
_NUMBERS: LiteralString = """
    SELECT id FROM quarantine WHERE {unsettled} AND {states} AND {scope} AND id > %(after)s AND id <= %(upto)s
    ORDER BY id LIMIT %(limit)s FOR UPDATE
"""
_EXTENT: LiteralString = """
    SELECT count(*), coalesce(max(id), 0) FROM quarantine WHERE {unsettled} AND {states} AND {scope}
"""


@dataclass(frozen=True, slots=True)
class Extent:
    """How many entries are meant, and the highest of their numbers: what comes later is not part of it."""

    entries: int
    upto: int


def extent(connection: Connection, scope: Scope, states: LiteralString) -> Extent:
    """Count the entries that are meant, as it stands now."""
    row = connection.execute(_filled(_EXTENT, scope, states), _values(scope)).fetchone()
    return Extent(0, 0) if row is None else Extent(*row)


def page(connection: Connection, scope: Scope, states: LiteralString, after: int, upto: int) -> list[Kept]:
    """Lock and return the next entries; the caller's transaction holds them."""
    values = {**_values(scope), "after": after, "upto": upto, "limit": PAGE_ENTRIES, "bytes": PAGE_BYTES}
    return [_kept(row) for row in connection.execute(_filled(_PAGE, scope, states), values)]


def numbers(connection: Connection, scope: Scope, states: LiteralString, after: int, upto: int) -> list[int]:
    """Lock the next entries and return their numbers alone; the caller's transaction holds them."""
    values = {**_values(scope), "after": after, "upto": upto, "limit": PAGE_ENTRIES}
    return [number for (number,) in connection.execute(_filled(_NUMBERS, scope, states), values)]


def condition(scope: Scope) -> LiteralString:
    """Return a scope as a condition on `quarantine`, with placeholders that `values` fills."""
    match scope:
        case Everything():
            return "true"
        case OfCause():
            return "cause = %(cause)s"
        case Named():
            return "id = ANY(%(entries)s)"


def _values(scope: Scope) -> dict[str, Any]:
    match scope:
        case Everything():
            return {}
        case OfCause(cause):
            return {"cause": cause}
        case Named(entries):
            return {"entries": list(entries)}


def _filled(statement: LiteralString, scope: Scope, states: LiteralString) -> LiteralString:
    return (
        statement.replace("{unsettled}", UNSETTLED)
        .replace("{states}", states)
        .replace("{scope}", condition(scope))
        .replace("{columns}", _COLUMNS)
    )


def _kept(row: tuple[Any, ...]) -> Kept:
    said: dict[str, Any] = dict(zip(Kept.__struct_fields__, row, strict=True))
    packed = said["mended_headers"]
    said |= {"headers": _pairs(said["headers"]), "mended_headers": None if packed is None else _pairs(packed)}
    return Kept(**said)


def _pairs(packed: bytes) -> list[tuple[str, bytes | None]]:
    return [(name, text) for name, text in msgspec.msgpack.decode(packed)]
