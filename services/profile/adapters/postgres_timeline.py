"""Everything that a customer did, by whichever of its identities, newest first, a page at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from psycopg import Connection

from services.profile.cursors import Moment
from services.profile.domain.trait_history import Said
from shared.contracts.catalogue import Family
from shared.contracts.codec import decode
from shared.contracts.identities import IdentityRef
from shared.contracts.interactions import IdentifyPayload
from shared.runtime.arrays import uuids

# Of each identity the last few, by the index, then the last few of those.
_PAGE = """
    SELECT t.* FROM unnest(%(ids)s) AS m (id) CROSS JOIN LATERAL (
        SELECT message_id, source, name, family, occurred_at, received_at, uuid_send(identity_id), payload, context,
            uuid_send(key) AS key
        FROM timeline
        WHERE identity_id = m.id
            AND (occurred_at, key) < (coalesce(%(at)s, 'infinity'::timestamptz), %(key)s::uuid)
            AND (%(family)s::text IS NULL OR family = %(family)s)
        ORDER BY occurred_at DESC, timeline.key DESC LIMIT %(most)s
    ) AS t ORDER BY t.occurred_at DESC, t.key DESC LIMIT %(most)s
"""
_AT_ONCE = 500
MOST_LOOKED_AT = 10_000
"""Events that one answer about a trait looks at, so that nobody holds a connection for a whole long history."""
_GREATEST_KEY = "f" * 32


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An activity of a customer, by the identity that it was done with."""

    message_id: str
    source: str
    name: str
    family: str
    occurred_at: datetime
    received_at: datetime
    identity_id: str
    payload: msgspec.Raw
    context: msgspec.Raw


class Page(msgspec.Struct, frozen=True):
    """Activities, newest first by event time, and where the next page begins, if there is one."""

    entries: Sequence[Entry]
    next: Moment | None


def page(
    connection: Connection, identities: Sequence[IdentityRef], most: int, after: Moment | None, family: str | None
) -> Page:
    """Read one page of what these identities did.

    Pages one after the other hold everything that was there at the first of them, each activity once, whatever is
    added meanwhile.
    """
    found = _read(connection, identities, most + 1, after, family)
    entries = [entry for entry, _ in found[:most]]
    return Page(entries, found[most - 1][1] if len(found) > most else None)


class ToldOf(msgspec.Struct, frozen=True):
    """Values of a trait, newest first, of how many events, and where to go on; `next` is none where there is no more.

    With a `next`, nothing may have been found all the same: then only so many events were looked at.
    """

    said: Sequence[Said]
    looked_at: int
    next: Moment | None


def said_about(
    connection: Connection, identities: Sequence[IdentityRef], trait: str, most: int, after: Moment | None = None
) -> ToldOf:
    """Read the last values of a trait that these identities' events said, among the next `MOST_LOOKED_AT` events."""
    said: list[Said] = []
    looked_at, place = 0, after
    while looked_at < MOST_LOOKED_AT:
        wanted = min(_AT_ONCE, MOST_LOOKED_AT - looked_at)
        found = _read(connection, identities, wanted + 1, place, Family.IDENTIFY)
        for entry, moment in found[:wanted]:
            looked_at, place = looked_at + 1, moment
            one = _said(entry, trait)
            if one is not None:
                said.append(one)
                if len(said) == most:
                    return ToldOf(said, looked_at, None if moment == found[-1][1] else moment)
        if len(found) <= wanted:
            return ToldOf(said, looked_at, None)
    return ToldOf(said, looked_at, place)


def _said(entry: Entry, trait: str) -> Said | None:
    traits: Mapping[str, msgspec.Raw] = decode(IdentifyPayload, entry.payload).traits
    if trait not in traits:
        return None
    return Said(entry.occurred_at, entry.message_id, entry.source, entry.identity_id, bytes(traits[trait]))


def _read(
    connection: Connection, identities: Sequence[IdentityRef], most: int, after: Moment | None, family: str | None
) -> list[tuple[Entry, Moment]]:
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            _PAGE,
            {
                "ids": uuids([bytes.fromhex(one.id) for one in identities]),
                "at": None if after is None else after.occurred_at,
                "key": _GREATEST_KEY if after is None else after.key.hex(),
                "family": family,
                "most": most,
            },
        )
        return [_entry(*row) for row in cursor]


def _entry(
    message_id: str,
    source: str,
    name: str,
    family: str,
    occurred_at: datetime,
    received_at: datetime,
    identity: bytes,
    payload: bytes,
    context: bytes,
    key: bytes,
) -> tuple[Entry, Moment]:
    entry = Entry(
        message_id=message_id,
        source=source,
        name=name,
        family=family,
        occurred_at=occurred_at,
        received_at=received_at,
        identity_id=identity.hex(),
        payload=msgspec.Raw(payload),
        context=msgspec.Raw(context),
    )
    return entry, Moment(occurred_at, key)
