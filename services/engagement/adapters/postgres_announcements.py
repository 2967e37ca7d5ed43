"""What was said on `crm.outreach.v1`, kept so that a crash before the acknowledgement says the very same again."""

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from services.engagement.domain.announcement import Announcement
from services.engagement.handlers import outreach_message
from shared.runtime.arrays import byteas, int4s, texts, timestamps
from shared.runtime.errors import FatalError
from shared.runtime.handler import Current, Message

_KEEP = """
    INSERT INTO announcements (id, lane, customer_id, type, at, caused_at, value)
    SELECT id, lane, customer_id, type, at, caused_at::timestamptz, value
    FROM unnest(%s, %s, %s, %s, %s, %s, %s) AS n (id, lane, customer_id, type, at, caused_at, value)
"""
_READ = """
    SELECT a.id, a.lane, a.customer_id, a.type, a.at, a.caused_at, a.value
    FROM announcements a JOIN unnest(%s) WITH ORDINALITY AS n (id, place) USING (id) ORDER BY n.place
"""


class AnnouncementMissingError(FatalError):
    """A row that a committed publication is rendered from is not there."""

    def __init__(self, topic: str, missing: str) -> None:
        super().__init__(
            f"{topic}: the announcement {missing} of a committed message is gone: restore it from a backup"
        )


class PostgresOutlet:
    """Renders announcements again from their rows."""

    async def render(self, connection: AsyncConnection, topic: str, keys: Sequence[bytes]) -> Sequence[Message]:
        """Render one message per announcement id, in their order.

        Raises:
            AnnouncementMissingError: somebody deleted a row.
        """
        ids = [key.decode() for key in keys]
        cursor = await connection.execute(_READ, (texts(ids),))
        found = [Announcement(*row) for row in await cursor.fetchall()]
        if len(found) != len(ids):
            raise AnnouncementMissingError(topic, min(set(ids) - {one.id for one in found}))
        return [outreach_message(one) for one in found]

    async def current(
        self, _connection: AsyncConnection, _topic: str, _message_keys: Sequence[bytes]
    ) -> Mapping[bytes, Current]:
        """Tell nothing: engagement publishes no state topic."""
        return {}


async def keep(connection: AsyncConnection, announced: Sequence[Announcement]) -> None:
    """Write announcements down."""
    if not announced:
        return
    await connection.execute(
        _KEEP,
        (
            texts([one.id for one in announced]),
            int4s([one.lane for one in announced]),
            texts([one.customer_id for one in announced]),
            texts([one.type for one in announced]),
            timestamps([one.at for one in announced]),
            texts([None if one.caused_at is None else one.caused_at.isoformat() for one in announced]),
            byteas([one.value for one in announced]),
        ),
    )
