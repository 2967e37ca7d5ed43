"""Renders what was committed again after a crash, from the history and the memberships."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection

from services.segmenter.domain.customer import Standing
from services.segmenter.domain.instants import instant
from services.segmenter.domain.membership import Transition
from services.segmenter.messages import change_message, membership_message
from services.segmenter.ports import Entry
from shared.contracts.codec import decode
from shared.contracts.segments import Cause, Fact, SegmentMembership
from shared.contracts.topics import SEGMENT_CHANGES
from shared.runtime.arrays import int8s, texts, uuids
from shared.runtime.handler import Current, Message

_CHANGES = """
    SELECT h.change = 'entered', h.definition_version, h.effective_at, h.computed_at, h.cause::text, h.reason::text,
        h.customer_version, h.accepted_at, h.segment, h.sequence, n.number
    FROM unnest(%s, %s, %s) WITH ORDINALITY AS n (customer_id, segment, sequence, number)
    JOIN history h USING (customer_id, segment, sequence)
"""
_MEMBERSHIPS = """
    SELECT n.number, m.segment, m.definition_version, m.since, m.sequence, m.inside
    FROM unnest(%s, %s) WITH ORDINALITY AS n (customer_id, segment, number)
    JOIN memberships m USING (customer_id, segment)
"""


class PostgresOutlet:
    """Finds a change by customer, segment and sequence, and a membership by customer and segment.

    A change never changes: what is rendered again is what was committed, byte for byte. A membership is rendered as it
    is now.
    """

    async def render(self, connection: AsyncConnection, topic: str, keys: Sequence[bytes]) -> Sequence[Message]:
        """Render one message per key, in their order.

        Raises:
            LookupError: a key has no row; rows are never deleted while a publication names them.
        """
        if topic == SEGMENT_CHANGES.name:
            return await self._changes(connection, keys)
        rows = await _memberships(connection, keys)
        return [membership_message(_row(rows, number), inside=rows[number][1]) for number in range(len(keys))]

    async def current(
        self, connection: AsyncConnection, topic: str, message_keys: Sequence[bytes]
    ) -> Mapping[bytes, Current]:
        """Tell the sequence of each membership by message key, those that ended included."""
        del topic  # only the memberships are a state topic
        ours = [key for key in message_keys if _is_membership_key(key)]
        rows = await _memberships(connection, ours)
        return {ours[number]: Current(ours[number], membership.sequence) for number, (membership, _) in rows.items()}

    async def _changes(self, connection: AsyncConnection, keys: Sequence[bytes]) -> Sequence[Message]:
        split = [key.decode().split(":") for key in keys]
        cursor = await connection.execute(
            _CHANGES,
            (
                uuids([bytes.fromhex(customer_id) for customer_id, _, _ in split]),
                texts([segment for _, segment, _ in split]),
                int8s([int(sequence) for _, _, sequence in split]),
            ),
        )
        messages = {row[-1] - 1: change_message(_entry(split[row[-1] - 1][0], row)) for row in await cursor.fetchall()}
        if len(messages) != len(keys):
            raise LookupError(f"{len(keys) - len(messages)} changes are not in the history")
        return [messages[number] for number in range(len(keys))]


def _entry(customer_id: str, row: tuple[Any, ...]) -> Entry:
    inside, definition_version, effective_at, computed_at, cause, reason, customer_version, accepted_at = row[:8]
    standing = Standing(inside, row[9], instant(effective_at), definition_version)
    facts = decode(tuple[Fact, ...], reason.encode())
    transition = Transition(row[8], standing, _cause(cause), facts, customer_version)
    return Entry(customer_id, 0, instant(computed_at), accepted_at, transition)


def _cause(text: str) -> Cause:
    found: Cause = decode(Cause, text.encode())  # type: ignore[arg-type]  # a union is a type to the decoder
    return found


def _row(rows: Mapping[int, tuple[SegmentMembership, bool]], number: int) -> SegmentMembership:
    if number not in rows:
        raise LookupError("a membership that was published is not in the table")
    return rows[number][0]


def _is_membership_key(key: bytes) -> bool:
    customer_id, colon, segment = key.partition(b":")
    return len(customer_id) == 32 and bool(colon) and segment.isascii() and not customer_id.strip(b"0123456789abcdef")  # noqa: PLR2004 - hexadecimal digits of an id


async def _memberships(
    connection: AsyncConnection, keys: Sequence[bytes]
) -> Mapping[int, tuple[SegmentMembership, bool]]:
    split = [key.decode().partition(":") for key in keys]
    cursor = await connection.execute(
        _MEMBERSHIPS,
        (
            uuids([bytes.fromhex(customer_id) for customer_id, _, _ in split]),
            texts([segment for _, _, segment in split]),
        ),
    )
    return {
        number - 1: (
            SegmentMembership(
                segment=segment,
                definition_version=definition_version,
                customer_id=split[number - 1][0],
                since=_utc(since),
                sequence=sequence,
            ),
            inside,
        )
        for number, segment, definition_version, since, sequence, inside in await cursor.fetchall()
    }


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)
