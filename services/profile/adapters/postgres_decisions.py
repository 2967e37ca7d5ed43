"""Decisions of people in PostgreSQL: what was asked for, and, in the customers' own transaction, what came of it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, cast

import msgspec
from psycopg import AsyncConnection, Connection

from services.profile.adapters.postgres_lookup import Decision as Made
from services.profile.adapters.postgres_lookup import spellings
from services.profile.domain.decisions import DECISION, Applied, Decision, Kind, Ruling
from services.profile.domain.links import Mark
from services.profile.domain.planning import Plan
from shared.contracts.identities import IdentityRef, identity_id
from shared.contracts.partitioning import lane_of
from shared.runtime.arrays import byteas, texts, uuids
from shared.runtime.errors import StaleStateError

_PENDING = """
    SELECT uuid_send(d.id), d.decided_at, d.kind, array_to_string(d.identities, ','), uuid_send(d.undoes)
    FROM decisions d WHERE d.id = ANY(%s) AND NOT EXISTS (SELECT FROM decisions_applied a WHERE a.decision = d.id)
    ORDER BY d.decided_at, d.id
"""
_KEEP = """
    INSERT INTO decisions_applied (decision, ruling, result)
    SELECT n.decision, n.ruling, n.result::jsonb FROM unnest(%s, %s, %s) AS n (decision, ruling, result)
    ON CONFLICT (decision) DO NOTHING
"""
_RULINGS = """
    SELECT uuid_send(d.id), d.decided_at, a.ruling
    FROM decisions d JOIN decisions_applied a ON a.decision = d.id ORDER BY d.decided_at, d.id
"""

_INSERT = """
    WITH made AS (
        INSERT INTO decisions (id, decided_at, who, why, kind, identities, undoes, preview)
        SELECT %(id)s::uuid,
            greatest(clock_timestamp(), (SELECT max(decided_at) + interval '1 microsecond' FROM decisions)),
            %(who)s, %(why)s, %(kind)s, %(identities)s, %(undoes)s::uuid, %(preview)s::jsonb
        RETURNING decided_at
    )
    INSERT INTO due (lane, key, at) SELECT %(lane)s, %(key)s, decided_at FROM made
"""
# Any lane does, for the tables tell what is decided about; the same one for the same customer, so that its worker does.
_LANES = "SELECT lane FROM lanes WHERE input_group = 'crm-profile' ORDER BY lane"
_NEXT = "SELECT greatest(clock_timestamp(), (SELECT max(decided_at) + interval '1 microsecond' FROM decisions))"
_APPLIED = "SELECT applied_at, result FROM decisions_applied WHERE decision = %s::uuid"
_MOVED = "SELECT count(*) FROM timeline WHERE identity_id = ANY(%s)"
_WORKERS = """
    SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rapport-profile' AND datname = current_database()
"""
_BY_ID = "SELECT uuid_send(id), kind, value FROM identities WHERE id = ANY(%s)"
_WHOLE = """
    SELECT d.id::text, d.decided_at, d.who, d.why, d.kind, d.identities, d.undoes::text, a.applied_at, a.result
    FROM decisions d LEFT JOIN decisions_applied a ON a.decision = d.id WHERE
"""
_RECENT = (
    _WHOLE
    + """
    d.decided_at < coalesce(%(before)s, 'infinity'::timestamptz)
    ORDER BY d.decided_at DESC, d.id DESC LIMIT %(most)s
"""
)
_ONE = _WHOLE + "d.id = %(id)s::uuid"
_KIND = "SELECT kind, identities FROM decisions WHERE id = %s::uuid"
# Reads all identities: for a person without the secret that ids are made with, never for a program.
_BY_VALUE = "SELECT uuid_send(id), kind, value FROM identities WHERE kind = %s AND value = ANY(%s)"

_MADE = "SELECT uuid_send(id), decided_at, kind, who, why FROM decisions WHERE id = ANY(%s)"

_encoder = msgspec.msgpack.Encoder()
_rulings = msgspec.msgpack.Decoder(Ruling)


async def read_pending(connection: AsyncConnection, ids: Collection[str]) -> list[Decision]:
    """Read those of these decisions that were not applied yet, first decided first."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_PENDING, (uuids([bytes.fromhex(one) for one in sorted(ids)]),))
    return [
        Decision(
            key.hex(),
            decided_at,
            Kind(kind),
            tuple(identity.replace("-", "") for identity in identities.split(",")),
            None if undoes is None else undoes.hex(),
        )
        for key, decided_at, kind, identities, undoes in await cursor.fetchall()
    ]


async def write_applied(connection: AsyncConnection, applied: Sequence[Applied]) -> None:
    """Write what came of decisions, each once.

    Raises:
        StaleStateError: one of them was applied by somebody else.
    """
    cursor = await connection.execute(
        _KEEP,
        (
            uuids([bytes.fromhex(one.decision.id) for one in applied]),
            byteas([_encoder.encode(one.ruling) for one in applied]),
            texts([_result(one) for one in applied]),
        ),
    )
    if cursor.rowcount != len(applied):
        raise StaleStateError("a decision was applied by somebody else")


async def read_rulings(connection: AsyncConnection) -> list[tuple[Mark, Ruling]]:
    """Read what all decisions that were applied said to the graph, each with its mark: entries of the set of links."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_RULINGS)
    return [(Mark(at, key.hex()), _rulings.decode(ruling)) for key, at, ruling in await cursor.fetchall()]


async def read_made(connection: AsyncConnection, ids: Collection[str]) -> list[tuple[str, datetime, str, str, str]]:
    """Read id, time, kind, who and why of decisions."""
    keys = [bytes.fromhex(one) for one in sorted(ids)]
    cursor = connection.cursor(binary=True)
    await cursor.execute(_MADE, (uuids(keys),))
    return [(key.hex(), *rest) for key, *rest in await cursor.fetchall()]


async def next_mark(connection: AsyncConnection) -> datetime:
    """Tell when a decision would be made, were it written now: after all others."""
    cursor = await connection.execute(_NEXT)
    [(at,)] = await cursor.fetchall()
    return cast("datetime", at)


async def count_activities(connection: AsyncConnection, identities: Sequence[str]) -> int:
    """Count what was done by these identities."""
    cursor = await connection.execute(_MOVED, (uuids([bytes.fromhex(one) for one in identities]),))
    [(count,)] = await cursor.fetchall()
    return int(count)


def insert(connection: Connection, name: str, plan: Plan, who: str, why: str, preview: str) -> None:
    """Write a decision, and the instant at which a worker finds it."""
    lanes = [lane for (lane,) in connection.execute(_LANES).fetchall()] or [0]
    values = {
        "id": name,
        "who": who,
        "why": why,
        "kind": plan.kind.value,
        "identities": uuids([bytes.fromhex(one) for one in plan.identities]),
        "undoes": plan.undoes,
        "preview": preview,
        "lane": lanes[lane_of(plan.identities[0], len(lanes))],
        "key": DECISION + name,
    }
    connection.execute(_INSERT, values)


def applied(connection: Connection, name: str) -> dict[str, Any] | None:
    """Read what came of a decision, if it was applied."""
    row = connection.execute(_APPLIED, (name,)).fetchone()
    return None if row is None else {"applied_at": row[0], **row[1]}


def recent(connection: Connection, most: int, before: datetime | None = None) -> list[Made]:
    """List what people decided about anybody, newest first."""
    return _made(connection, _RECENT, {"most": most, "before": before})


def made(connection: Connection, name: str) -> Made | None:
    """Read one decision, and what came of it."""
    return next(iter(_made(connection, _ONE, {"id": name})), None)


def merged_by(connection: Connection, name: str) -> tuple[str, ...] | None:
    """Return the two ends of a merge by the decision's id; nothing if there is no such merge."""
    row = connection.execute(_KIND, (name,)).fetchone()
    return None if row is None or row[0] != Kind.MERGE else tuple(one.hex for one in row[1])


def workers(connection: Connection) -> bool:
    """Tell whether a worker of profile is connected, as far as our role may see."""
    [(count,)] = connection.execute(_WORKERS).fetchall()
    return bool(count)


def named(connection: Connection, wanted: str, secret: bytes | None) -> list[IdentityRef]:
    """Find an identity by its id, or by kind:value, whether anybody did anything by it or not."""
    kind, colon, value = wanted.partition(":")
    if "\0" in wanted:
        return []
    with connection.cursor(binary=True) as cursor:
        if not colon:
            rows = cursor.execute(_BY_ID, (uuids([bytes.fromhex(wanted)]),)).fetchall()
        elif secret is None:
            rows = cursor.execute(_BY_VALUE, (kind, spellings(kind, value))).fetchall()
        else:
            ids = [bytes.fromhex(identity_id(secret, kind, one)) for one in spellings(kind, value)]
            rows = cursor.execute(_BY_ID, (uuids(ids),)).fetchall()
    return [IdentityRef(key.hex(), kind, value) for key, kind, value in rows]


def _made(connection: Connection, statement: LiteralString, values: Mapping[str, object]) -> list[Made]:
    return [
        Made(name, at, who, why, kind, tuple(one.hex for one in about), undoes, applied_at, result)
        for name, at, who, why, kind, about, undoes, applied_at, result in connection.execute(statement, values)
    ]


def _result(applied: Applied) -> str:
    said: dict[str, object] = {
        "before": applied.before,
        "after": applied.after,
        "said": [{"one": one.one, "other": one.other, "verdict": one.verdict} for one in applied.ruling.said],
        "blocked": dict(applied.ruling.blocked),
    }
    if applied.refused is not None:
        said["refused"] = applied.refused
    return msgspec.json.encode(said).decode()
