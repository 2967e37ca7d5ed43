"""What was committed, rendered again from the tables after a crash, and asked about by the auditor."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from services.profile.adapters.partitions import statement
from services.profile.domain.clusters import load_summary
from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.domain.months import split_by_month
from services.profile.domain.state import load
from services.profile.messages import (
    Told,
    activity_message,
    customer_message,
    redirect_message,
    removal_message,
    subject_of,
)
from shared.contracts.customers import CustomerRedirect
from shared.contracts.interactions import Activity
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.runtime.arrays import uuids
from shared.runtime.errors import FatalError
from shared.runtime.handler import Current, Message

ID_DIGITS = 32

ROW = """
    message_id, source, name, family, occurred_at, received_at, uuid_send(customer_id), uuid_send(identity_id),
    customer_version, payload, context, membership_version
"""
_ACTIVITIES = f"SELECT uuid_send(key), {ROW} FROM {{}} WHERE key = ANY(%s)"  # noqa: S608 - our own words only
_CUSTOMERS = """
    SELECT uuid_send(i.id), i.version, i.doc, uuid_send(i.root), i.membership, c.version, c.summary, c.joined, now()
    FROM identities i LEFT JOIN customers c ON c.root = i.id WHERE i.id = ANY(%s)
"""
_VERSIONS = """
    SELECT uuid_send(i.id), coalesce(c.version, i.version)
    FROM identities i LEFT JOIN customers c ON c.root = i.id WHERE i.id = ANY(%s)
"""


class RowMissingError(FatalError):
    """A row that a committed publication is rendered from is not there."""

    def __init__(self, topic: str, key: bytes) -> None:
        super().__init__(f"{topic}: the row {key.hex()} of a committed message is gone: restore it from a backup")


class PostgresOutlet:
    """Renders activities from the timeline, byte for byte as at COMMIT, and customers as they are now."""

    def __init__(self, stages: Stages = USUAL) -> None:
        self.stages = stages

    async def render(self, connection: AsyncConnection, topic: str, keys: Sequence[bytes]) -> Sequence[Message]:
        """Render one message per publication key, in their order.

        Raises:
            RowMissingError: somebody deleted a row.
            LookupError: the topic is not one of profile's.
        """
        if topic == ACTIVITIES.name:
            found = await self._activities(connection, keys)
        elif topic == CUSTOMERS.name:
            found = await self._customers(connection, keys)
        else:
            raise LookupError(f"profile does not publish {topic}")
        missing = next((key for key in keys if key not in found), None)
        if missing is not None:
            raise RowMissingError(topic, missing)
        return [found[key] for key in keys]

    async def current(
        self, connection: AsyncConnection, topic: str, message_keys: Sequence[bytes]
    ) -> Mapping[bytes, Current]:
        """Tell the version of each customer whose message key this is.

        Raises:
            LookupError: the topic is not profile's topic of state.
        """
        if topic != CUSTOMERS.name:
            raise LookupError(f"profile publishes no state on {topic}")
        ids = sorted({key for text in message_keys if (key := _customer_key(text)) is not None})
        cursor = connection.cursor(binary=True)
        await cursor.execute(_VERSIONS, (uuids(ids),))
        return {key.hex().encode(): Current(key, version) for key, version in await cursor.fetchall()}

    async def _activities(self, connection: AsyncConnection, keys: Sequence[bytes]) -> dict[bytes, Message]:
        messages: dict[bytes, Message] = {}
        cursor = connection.cursor(binary=True)
        for month, some in split_by_month(set(keys)).items():
            await cursor.execute(statement(_ACTIVITIES, month), (uuids(some),))
            for key, *row in await cursor.fetchall():
                activity = activity_of(row)
                messages[key] = activity_message(activity, key.hex(), subject_of(activity.customer_id))
        return messages

    async def _customers(self, connection: AsyncConnection, keys: Sequence[bytes]) -> dict[bytes, Message]:
        cursor = connection.cursor(binary=True)
        await cursor.execute(_CUSTOMERS, (uuids(sorted(set(keys))),))
        return {row[0]: _told(*row, stages=self.stages) for row in await cursor.fetchall()}


def activity_of(row: Sequence[Any]) -> Activity:
    """Make the activity of a timeline row as `ROW` selects it."""
    message_id, source, name, family, occurred_at, received_at, customer, identity, version, *said, membership = row
    payload, context = said
    return Activity(
        message_id=message_id,
        source=source,
        name=name,
        family=family,
        occurred_at=occurred_at,
        received_at=received_at,
        customer_id=customer.hex(),
        identity_id=identity.hex(),
        customer_version=version,
        payload=msgspec.Raw(payload),
        context=msgspec.Raw(context),
        membership_version=membership,
    )


def _told(
    key: bytes,
    version: int,
    doc: bytes | None,
    root: bytes | None,
    membership: int,
    cluster_version: int | None,
    packed: bytes | None,
    joined: bytes | None,
    now: datetime,
    *,
    stages: Stages,
) -> Message:
    name = key.hex()
    if root is not None and root != key:
        redirect = CustomerRedirect(customer_id=name, redirect_to=root.hex(), memberships={name: membership})
        return redirect_message(redirect, version, now)
    memberships = {name: membership} if membership > 1 else {}
    if cluster_version is not None and packed is not None:
        summary = load_summary(packed)
        version, doc, memberships = cluster_version, joined if summary.active else None, summary.memberships
    if doc is None:
        return removal_message(name, version, now)
    return customer_message(Told(version, load(doc), None, memberships), subject_of(name), None, stages)


def _customer_key(text: bytes) -> bytes | None:
    if len(text) != ID_DIGITS:
        return None
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return None
    return key if key.hex().encode() == text else None
