"""What the handler needs from outside: a place that facts are added to."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from psycopg import AsyncConnection

from services.metrics.domain.events import Order
from services.metrics.domain.facts import Facts


class FactStore(Protocol):
    """Keeps facts; every method works in the caller's transaction and on whole sets."""

    async def customer_versions(self, connection: AsyncConnection, customers: Sequence[bytes]) -> Mapping[bytes, Order]:
        """Tell which version of each customer was counted; unknown ones are left out."""
        ...

    async def add(self, connection: AsyncConnection, facts: Facts) -> None:
        """Combine facts with what is kept."""
        ...
