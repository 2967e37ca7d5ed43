"""How far a rebuild is, what it found, and customers' rows that it puts back, in PostgreSQL."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec
from psycopg import AsyncConnection

from services.profile.domain.clusters import Cluster, dump
from services.profile.domain.comparing import TIMELINE, Difference
from services.profile.domain.lifecycle import Stages
from services.profile.domain.state import dump as dump_state
from shared.runtime.arrays import byteas, int8s, texts, uuids
from shared.runtime.errors import StaleStateError

_COLUMNS = "id, phase, uuid_send(last_identity), identities, events, compared, different, switched, rules"
_OPEN = f"SELECT {_COLUMNS} FROM rebuilds WHERE ended_at IS NULL"  # noqa: S608 - our own words only
_BEGIN = f"INSERT INTO rebuilds (phase, rules, stages) VALUES ('comparing', %s, %s) RETURNING {_COLUMNS}"  # noqa: S608 - as above
_GIVE_UP = "UPDATE rebuilds SET ended_at = clock_timestamp() WHERE ended_at IS NULL"
_FORGET = "DELETE FROM rebuild_differences"
_COMPARED = """
    UPDATE rebuilds SET last_identity = %s::uuid, identities = identities + %s, events = events + %s,
        compared = compared + %s, different = different + %s
    WHERE id = %s AND ended_at IS NULL
"""
_FOUND = """
    INSERT INTO rebuild_differences (customer_id, path) SELECT * FROM unnest(%s, %s)
    ON CONFLICT (customer_id) DO NOTHING
"""
_PHASE = "UPDATE rebuilds SET phase = %s, ended_at = CASE WHEN %s = 'done' THEN clock_timestamp() END WHERE id = %s"
_NEXT = """
    SELECT uuid_send(customer_id) FROM rebuild_differences
    WHERE NOT switched AND customer_id > %s::uuid ORDER BY customer_id LIMIT 1
"""
_SWITCHED = "UPDATE rebuild_differences SET switched = true WHERE customer_id = %s::uuid"
_COUNT = "UPDATE rebuilds SET switched = switched + %s WHERE id = %s"
_SHOWN = "SELECT uuid_send(customer_id), path FROM rebuild_differences ORDER BY customer_id LIMIT %s"
_UNREADABLE = "SELECT count(*) FROM rebuild_differences WHERE path LIKE %s"
_MANY = "SELECT count(*) FROM identities"
_STAGES = "SELECT stages FROM rebuilds WHERE phase = 'done' ORDER BY id DESC LIMIT 1"
_LANES = "SELECT max(lane) + 1 FROM lanes"
_PLACE = """
    INSERT INTO customers (root, version, summary, joined) SELECT * FROM unnest(%s, %s, %s, %s)
    ON CONFLICT (root) DO NOTHING
"""

_CLAIM_CHECK = """
    UPDATE checks SET checked_at = clock_timestamp() WHERE checked_at <= clock_timestamp() - %s
    RETURNING uuid_send(last_identity)
"""
_LEAVE_CHECK = "UPDATE checks SET last_identity = %s::uuid"

_encoder = msgspec.msgpack.Encoder()
_stages = msgspec.msgpack.Decoder(Stages)


class Turn(msgspec.Struct, frozen=True):
    """A turn of the check that runs all the time, with the identity that the turn before ended at."""

    last: bytes | None


class Progress(msgspec.Struct, frozen=True):
    """A rebuild that is under way: its phase, the identity it looked at last, and what it counted."""

    id: int
    phase: str
    last: bytes | None
    identities: int
    events: int
    compared: int
    different: int
    switched: int
    rules: bytes


async def read_open(connection: AsyncConnection) -> Progress | None:
    """Return the rebuild that did not end, if there is one."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_OPEN)
    row = await cursor.fetchone()
    return None if row is None else Progress(*row)


async def begin(connection: AsyncConnection, rules: bytes, stages: Stages) -> Progress:
    """Begin a rebuild by these rules; one that was under way ends, and what it found is forgotten."""
    await connection.execute(_GIVE_UP)
    await connection.execute(_FORGET)
    cursor = connection.cursor(binary=True)
    await cursor.execute(_BEGIN, (rules, _encoder.encode(stages)))
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - an INSERT with RETURNING gives one row
    return Progress(*row)


async def read_stages(connection: AsyncConnection) -> Stages | None:
    """Return the stages that the last rebuild which came to its end went by."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_STAGES)
    row = await cursor.fetchone()
    return None if row is None else _stages.decode(row[0])


async def compared(
    connection: AsyncConnection, rebuild: int, last: bytes, counts: tuple[int, int, int], found: Iterable[Difference]
) -> None:
    """Keep how far it is, what was counted (identities, events, customers), and which customers differ."""
    differences = {one.customer_id: one.path for one in found}
    new = 0
    if differences:
        names = sorted(differences)
        keys = uuids([bytes.fromhex(name) for name in names])
        cursor = await connection.execute(_FOUND, (keys, texts([differences[name] for name in names])))
        new = cursor.rowcount
    await connection.execute(_COMPARED, (last.hex(), *counts, new, rebuild))


async def enter(connection: AsyncConnection, rebuild: int, phase: str) -> None:
    """Go on to a phase; with `done` it ends."""
    await connection.execute(_PHASE, (phase, phase, rebuild))


async def next_different(connection: AsyncConnection, after: bytes) -> bytes | None:
    """Return the next customer that differs and was not switched yet."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_NEXT, (after.hex(),))
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def switched(connection: AsyncConnection, rebuild: int, customer: bytes, *, written: bool) -> None:
    """Keep that a customer is as it is to be, and whether anything had to be written for that."""
    await connection.execute(_SWITCHED, (customer.hex(),))
    await connection.execute(_COUNT, (int(written), rebuild))


async def differences(connection: AsyncConnection, most: int) -> list[Difference]:
    """Return what was found, by customer."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_SHOWN, (most,))
    return [Difference(key.hex(), path) for key, path in await cursor.fetchall()]


async def how_many_unreadable(connection: AsyncConnection) -> int:
    """Count the customers of whom an event could not be read."""
    cursor = await connection.execute(_UNREADABLE, (f"{TIMELINE}%",))
    row = await cursor.fetchone()
    return 0 if row is None else row[0]


async def how_many(connection: AsyncConnection) -> int:
    """Count identities."""
    cursor = await connection.execute(_MANY)
    row = await cursor.fetchone()
    return 0 if row is None else row[0]


async def how_many_lanes(connection: AsyncConnection) -> int | None:
    """Count the lanes that workers ever claimed; None if none ran."""
    cursor = await connection.execute(_LANES)
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def place(connection: AsyncConnection, lost: Mapping[str, Cluster]) -> None:
    """Put rows of customers back that are gone, as something to be written over.

    Raises:
        StaleStateError: one of them is there.
    """
    if not lost:
        return
    roots = sorted(lost)
    cursor = await connection.execute(
        _PLACE,
        (
            uuids([bytes.fromhex(root) for root in roots]),
            int8s([lost[root].version for root in roots]),
            byteas([dump(lost[root].summary) for root in roots]),
            byteas([dump_state(lost[root].state) for root in roots]),
        ),
    )
    if cursor.rowcount != len(roots):
        raise StaleStateError("a customer's row was put back by somebody else")


async def claim_check(connection: AsyncConnection, interval: timedelta) -> Turn | None:
    """Take the next turn of the check, unless somebody did within the interval."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_CLAIM_CHECK, (interval,))
    row = await cursor.fetchone()
    return None if row is None else Turn(*row)


async def leave_check(connection: AsyncConnection, last: bytes) -> None:
    """Keep where the next turn begins."""
    await connection.execute(_LEAVE_CHECK, (last.hex(),))
