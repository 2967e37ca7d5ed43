"""The quarantine as a table: written set-wise, read newest first."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import LiteralString

import msgspec
from psycopg import AsyncConnection

from services.ingest.adapters.refusal_columns import REFUSAL, REFUSED_ANEW, refusals
from services.ingest.domain.replaying import Ticket
from services.ingest.domain.times import instant
from services.ingest.ports import Entry
from shared.runtime.arrays import BinaryArray, byteas, int4s, int8s, texts, timestamps, uuids

UNSETTLED: LiteralString = "state IN ('open', 'fixed', 'replaying')"
"""What somebody must still see to; an index holds these alone."""

_KEEP: LiteralString = f"""
    INSERT INTO quarantine (topic, lane, record_offset, event_index, appended_at, message_id, original, around, key,
        headers, received_at, quarantined_at, refused_at, {REFUSAL})
    SELECT topic, lane, record_offset, event_index, appended_at, message_id, original, around, key,
        headers, received_at, at, at, {REFUSAL}
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        AS r (topic, lane, record_offset, event_index, appended_at, message_id, original, around, key,
              headers, received_at, at, {REFUSAL})
    ON CONFLICT ON CONSTRAINT quarantine_once DO NOTHING
"""  # noqa: S608 - ours
# Locked in the order of their numbers, as everybody does who changes several.
_KNOWN = """
    SELECT q.id, q.ticket FROM quarantine AS q JOIN unnest(%s, %s) AS t (id, ticket) USING (id, ticket)
    ORDER BY q.id FOR UPDATE OF q
"""
# One that was accepted before, discarded or mended anew since is past this refusal.
_REOPEN: LiteralString = f"""
    UPDATE quarantine AS q SET state = 'open', refused_at = r.at, {REFUSED_ANEW}
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS r (id, at, {REFUSAL})
    WHERE q.id = r.id AND q.state = 'replaying'
"""  # noqa: S608 - ours
_SETTLE = """
    UPDATE quarantine SET state = 'replayed', settled_at = %s, discard_reason = NULL
    WHERE id = ANY(%s) AND state <> 'replayed'
"""
COUNT_BY_REASON: LiteralString = f"SELECT reason, count(*) FROM quarantine WHERE {UNSETTLED} GROUP BY reason"  # noqa: S608 - ours


class PostgresQuarantine:
    """Keeps refused events in `ingest.quarantine`."""

    async def keep(self, connection: AsyncConnection, entries: Sequence[Entry]) -> None:
        """Add entries; one that is there already (the batch was redone) stays as it is.

        A replay that is refused again opens its own entry with what is wrong now; a ticket that nobody gave out
        makes an entry like any other.
        """
        good = await _good(connection, [entry.ticket for entry in entries if entry.ticket is not None])
        reopened = {entry.ticket.entry: entry for entry in entries if entry.ticket is not None and entry.ticket in good}
        if reopened:
            again = list(reopened.values())
            times = timestamps([entry.at for entry in again])
            await connection.execute(
                _REOPEN, (int8s(list(reopened)), times, *refusals([entry.refused for entry in again]))
            )
        new = [entry for entry in entries if entry.ticket is None or entry.ticket not in good]
        if new:
            await connection.execute(_KEEP, (*_places(new), *refusals([entry.refused for entry in new])))

    async def settle(self, connection: AsyncConnection, tickets: Sequence[Ticket], at: datetime) -> None:
        """Close the entries whose replay went through."""
        good = await _good(connection, tickets)
        if good:
            await connection.execute(_SETTLE, (at, [ticket.entry for ticket in good]))


async def _good(connection: AsyncConnection, tickets: Iterable[Ticket]) -> frozenset[Ticket]:
    """Tell which tickets were given out by a replay of ours, and lock their entries."""
    shown = list(tickets)
    if not shown:
        return frozenset()
    secrets = uuids([bytes.fromhex(ticket.secret) for ticket in shown])
    rows = await (await connection.execute(_KNOWN, (int8s([ticket.entry for ticket in shown]), secrets))).fetchall()
    return frozenset(Ticket(entry, secret.hex) for entry, secret in rows)


def _places(entries: Sequence[Entry]) -> tuple[BinaryArray, ...]:
    records = [entry.record for entry in entries]
    refused = [entry.refused for entry in entries]
    return (
        texts([record.topic for record in records]),
        int4s([record.partition for record in records]),
        int8s([record.offset for record in records]),
        int4s([entry.index for entry in entries]),
        timestamps([instant(record.timestamp) for record in records]),
        texts([one.message_id for one in refused]),
        byteas([one.original for one in refused]),
        byteas([one.around for one in refused]),
        byteas([record.key for record in records]),
        byteas([msgspec.msgpack.encode(list(record.headers)) for record in records]),
        timestamps([one.received_at for one in refused]),
        timestamps([entry.at for entry in entries]),
    )
