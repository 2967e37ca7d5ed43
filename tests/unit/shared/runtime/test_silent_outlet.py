"""A service that publishes nothing has nothing to say after a crash."""

import pytest
from psycopg import AsyncConnection

from shared.runtime.silent_outlet import SilentOutlet

CONNECTION: AsyncConnection = AsyncConnection.__new__(AsyncConnection)


async def test_nothing_is_published_so_nothing_can_be_rendered() -> None:
    with pytest.raises(LookupError, match=r"crm\.activities\.v1"):
        await SilentOutlet().render(CONNECTION, "crm.activities.v1", [b"x"])


async def test_no_key_of_any_topic_of_state_is_known() -> None:
    assert await SilentOutlet().current(CONNECTION, "crm.customers.v1", [b"x"]) == {}
