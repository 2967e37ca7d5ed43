"""Decisions of people in PostgreSQL: what was asked for, and, in the customers' own transaction, what came of it."""

from collections.abc import Collection, Sequence

import msgspec
from psycopg import AsyncConnection

from services.profile.domain.decisions import Applied, Decision, Kind, Ruling
from services.profile.domain.links import Mark
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


def _result(applied: Applied) -> str:
    said = {
        "before": applied.before,
        "after": applied.after,
        "said": [{"one": one.one, "other": one.other, "verdict": one.verdict} for one in applied.ruling.said],
        "blocked": dict(applied.ruling.blocked),
    }
    return msgspec.json.encode(said).decode()
