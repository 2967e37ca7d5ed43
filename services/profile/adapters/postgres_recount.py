"""What a recount reads of PostgreSQL beside the customer store: events by identity, how many partners, whose turn."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from psycopg import AsyncConnection

from services.profile.adapters.postgres_decisions import read_rulings
from services.profile.domain.comparing import TIMELINE
from services.profile.domain.decisions import Ruling
from services.profile.domain.effects import UnreadablePayloadError, effect_of
from services.profile.domain.event import Event
from services.profile.domain.links import Mark
from shared.contracts.identities import IdentityRef
from shared.contracts.interactions import Interaction
from shared.runtime.arrays import UuidArray, uuids

AT_ONCE = 500
"""Events in memory at once, and between two looks at whoever shares our event loop."""

_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_EVENTS = """
    SELECT uuid_send(identity_id), uuid_send(key), message_id, source, name, family, occurred_at, received_at, payload,
        others, uuid_send(customer_id), customer_version
    FROM timeline WHERE identity_id = ANY(%s)
"""
_NAMED = """
    SELECT uuid_send(identity_id), uuid_send(key), message_id, source, name, family, occurred_at, received_at, payload,
        NULL::bytea, uuid_send(customer_id), customer_version
    FROM timeline WHERE name = %s
"""
_REFS = "SELECT uuid_send(id), kind, value FROM identities WHERE id = ANY(%s)"
_TURN = """
    SELECT uuid_send(i.id) FROM identities i LEFT JOIN customers c ON c.root = i.root
    WHERE i.id > %s::uuid AND (i.root IS NULL OR i.root = i.id OR c.root IS NULL) ORDER BY i.id LIMIT %s
"""
_PARTNERS = """
    SELECT uuid_send(n.id),
        (SELECT count(*) FROM (SELECT FROM links WHERE a = n.id AND first_at IS NOT NULL LIMIT %s) AS few)
        + (SELECT count(*) FROM (SELECT FROM links WHERE b = n.id AND first_at IS NOT NULL LIMIT %s) AS few)
    FROM unnest(%s) AS n (id)
"""
_HOW_MANY_RULINGS = "SELECT count(*) FROM decisions_applied"

_ID = 16
_NO_CONTEXT = msgspec.Raw(b"{}")


class Kept(NamedTuple):
    """An event with the customer that it was committed to, and the version that first contained it there.

    `unreadable` is where its payload is not what its name promises to this version: then its effect is unknown.
    """

    event: Event
    customer_id: str
    version: int
    unreadable: str | None = None


class Rulings:
    """What people's decisions said to the graph; read once and again whenever there are more."""

    def __init__(self) -> None:
        self._many = -1
        self._said: Sequence[tuple[Mark, Ruling]] = ()

    async def read(self, connection: AsyncConnection) -> Sequence[tuple[Mark, Ruling]]:
        """Return all that were applied, as this transaction sees them."""
        cursor = await connection.execute(_HOW_MANY_RULINGS)
        row = await cursor.fetchone()
        many = 0 if row is None else row[0]
        if many != self._many:
            self._said, self._many = await read_rulings(connection), many
        return self._said


async def see_one_moment(connection: AsyncConnection) -> None:
    """Let this transaction, which has read nothing yet, see the tables as they are now, and write nothing."""
    await connection.execute(_SNAPSHOT)


async def whose_turn(connection: AsyncConnection, after: bytes, most: int) -> list[bytes]:
    """Return the next identities by id: of each customer one, so that each is looked at once."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_TURN, (after.hex(), most))
    return [key for (key,) in await cursor.fetchall()]


async def partners(connection: AsyncConnection, ids: Collection[str], enough: int) -> Mapping[str, int]:
    """Count whom identities were named with, up to somewhat more than `enough`."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_PARTNERS, (enough, enough, _ids(ids)))
    return {key.hex(): count for key, count in await cursor.fetchall()}


async def events_of(
    connection: AsyncConnection, ids: Collection[str], refs: dict[str, IdentityRef]
) -> AsyncGenerator[list[Kept], None]:
    """Read every event of some identities, some at a time; whom else they name is read into `refs`."""
    async with connection.cursor(name="recounted", binary=True) as cursor:
        await cursor.execute(_EVENTS, (_ids(ids),))
        while rows := await cursor.fetchmany(AT_ONCE):
            named = {name for row in rows if row[9] is not None for name in _others(row[9])}
            await _read_refs(connection, named - refs.keys(), refs)
            yield [_kept(row, refs) for row in rows]


async def events_named(connection: AsyncConnection, name: str) -> AsyncIterator[list[Event]]:
    """Read every event of one name, some at a time; of who is in it, the ids alone."""
    async with connection.cursor(name="named", binary=True) as cursor:
        await cursor.execute(_NAMED, (name,))
        while rows := await cursor.fetchmany(AT_ONCE):
            owners = {row[0].hex(): IdentityRef(row[0].hex(), "", "") for row in rows}
            yield [_kept(row, owners).event for row in rows]


async def _read_refs(connection: AsyncConnection, ids: Collection[str], refs: dict[str, IdentityRef]) -> None:
    if ids:
        cursor = connection.cursor(binary=True)
        await cursor.execute(_REFS, (_ids(ids),))
        refs.update({key.hex(): IdentityRef(key.hex(), kind, value) for key, kind, value in await cursor.fetchall()})


def _kept(row: Sequence[Any], refs: Mapping[str, IdentityRef]) -> Kept:
    owner_key, key, message_id, source, name, family, occurred_at, received_at, payload, others, customer, version = row
    owner = refs[owner_key.hex()]
    # Whoever has no row is unknown by kind and value: there is nothing to link.
    rest = () if others is None else tuple(refs[one] for one in _others(others) if one in refs)
    raw = msgspec.Raw(payload)
    effect, unreadable = None, None
    try:
        effect = effect_of(name, family, raw)
    except UnreadablePayloadError as error:
        unreadable = f"{TIMELINE}{key.hex()}{error.path.removeprefix('$')}"
    said = Interaction(
        message_id=message_id,
        source=source,
        name=name,
        family=family,
        occurred_at=occurred_at,
        received_at=received_at,
        identities=(owner, *rest),
        payload=raw,
        context=_NO_CONTEXT,
        dedupe_key="",
        payload_hash="",
    )
    event = Event(said, key, b"", owner, owner_key, occurred_at, received_at, payload, b"{}", effect, rest)
    return Kept(event, customer.hex(), version, unreadable)


def _others(packed: bytes) -> list[str]:
    return [packed[at : at + _ID].hex() for at in range(0, len(packed), _ID)]


def _ids(names: Collection[str]) -> UuidArray:
    return uuids([bytes.fromhex(name) for name in sorted(names)])
