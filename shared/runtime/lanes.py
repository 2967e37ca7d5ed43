"""A lane is partition p of everything a service does; its owner is who raised its epoch last."""

from collections.abc import Iterable, Mapping

from psycopg import AsyncConnection

from shared.runtime.arrays import int4s, int8s
from shared.runtime.errors import FencedError

_CLAIM = """
    INSERT INTO lanes AS l (input_group, lane, epoch, owner)
    SELECT %s, lane, 1, %s FROM unnest(%s) AS n (lane) ORDER BY lane
    ON CONFLICT (input_group, lane) DO UPDATE SET epoch = l.epoch + 1, owner = excluded.owner
    RETURNING lane, epoch
"""
_FENCE = """
    SELECT l.lane FROM lanes l JOIN unnest(%s, %s) AS held (lane, epoch) USING (lane, epoch)
    WHERE l.input_group = %s ORDER BY l.lane FOR SHARE OF l
"""


class Claims:
    """The lanes this worker holds, each with the epoch that its claim raised it to."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._epochs: dict[int, int] = {}

    @property
    def lanes(self) -> frozenset[int]:
        """Return the lanes held now."""
        return frozenset(self._epochs)

    def epochs(self, lanes: Iterable[int]) -> dict[int, int]:
        """Return the epochs of these lanes.

        Raises:
            FencedError: one of them is not held (any more).
        """
        wanted = sorted(set(lanes))
        missing = [lane for lane in wanted if lane not in self._epochs]
        if missing:
            raise FencedError(self.group, missing)
        return {lane: self._epochs[lane] for lane in wanted}

    def replace(self, epochs: Mapping[int, int]) -> None:
        """Hold exactly these lanes from now on."""
        self._epochs = dict(epochs)


async def claim(connection: AsyncConnection, group: str, lanes: Iterable[int], owner: str) -> dict[int, int]:
    """Take lanes over: raise their epochs, waiting for whoever still has a transaction open under the old ones."""
    cursor = await connection.execute(_CLAIM, (group, owner, int4s(sorted(lanes))))
    return dict(await cursor.fetchall())


async def fence(connection: AsyncConnection, group: str, epochs: Mapping[int, int]) -> None:
    """Prove, as a transaction's first statement, that these lanes are still ours, and keep it so until its end.

    Raises:
        FencedError: a newer owner has raised an epoch.
    """
    cursor = await connection.execute(_FENCE, (int4s(list(epochs)), int8s(list(epochs.values())), group))
    held = {lane for (lane,) in await cursor.fetchall()}
    lost = [lane for lane in epochs if lane not in held]
    if lost:
        raise FencedError(group, lost)
