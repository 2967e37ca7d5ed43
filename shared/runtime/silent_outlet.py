"""The outlet of a service that publishes nothing through the runtime."""

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection

from shared.runtime.handler import Current, Message


class SilentOutlet:
    """Has nothing to render after a crash, and no topic of state to be audited."""

    async def render(self, _connection: AsyncConnection, topic: str, _keys: Sequence[bytes]) -> Sequence[Message]:
        """Refuse: no publication exists.

        Raises:
            LookupError: always.
        """
        raise LookupError(f"this service keeps no publications, so nothing of {topic} can be rendered")

    async def current(
        self, _connection: AsyncConnection, _topic: str, _message_keys: Sequence[bytes]
    ) -> Mapping[bytes, Current]:
        """Know no key of any state topic."""
        return {}
