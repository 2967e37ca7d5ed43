"""Putting one customer right: what was read at one moment is written only where nothing has moved since.

Who rebuilds is one more worker to the others: each event that a customer had meanwhile moved a version that is checked
here, and each version written here makes whoever read before read again. So nothing is lost and nothing counts twice.
"""

import msgspec
from psycopg import AsyncConnection

from services.profile.adapters.postgres_rebuilds import place
from services.profile.adapters.postgres_recount import Rulings, see_one_moment
from services.profile.domain.clusters import Cluster
from services.profile.domain.comparing import compare
from services.profile.domain.mending import mend
from services.profile.folding import Folded, Folding
from services.profile.ports import CustomerStore
from services.profile.rebuilding.bounds import TooMuchError
from services.profile.rebuilding.gathering import gather
from services.profile.rebuilding.site import Site


class Right(msgspec.Struct, frozen=True):
    """How everybody in a customer's region is to be; `lost` are customers whose rows are put back first."""

    folded: Folded
    lost: dict[str, Cluster]


async def right(connection: AsyncConnection, site: Site, rulings: Rulings, who: str) -> Right | None:
    """Tell how a customer and its region are to be, as seen at one moment; nothing if they are so already.

    Nothing either if an event of somebody among them cannot be read: writing one moves what is told of the others.
    """
    bounds = msgspec.structs.replace(site.bounds, events=None)
    try:
        async with connection.transaction():
            await see_one_moment(connection)
            gathered = await gather(connection, site.store, site.rules.identity, rulings, {who}, bounds)
    except TooMuchError:  # it grew since it was compared
        return None
    if gathered.unreadable:
        return None
    found = compare(gathered.held, gathered.told, site.rules.identity, site.rules.stages, site.rules.published)
    if not found.differences:
        return None
    mended = mend(gathered.held, gathered.told, found.unlike, site.rules.identity)
    folding = Folding(mended.settlement, site.lanes, site.clock.now(), site.rules.stages)
    folding.restate(mended.states)
    return Right(folding.done(), dict(gathered.lost))


async def put_right(connection: AsyncConnection, store: CustomerStore, found: Right) -> None:
    """Write it, within the caller's transaction, which publishes too.

    Raises:
        StaleStateError: somebody else wrote meanwhile, so what was found is old.
    """
    await place(connection, found.lost)
    await store.write(connection, (), found.folded.graph, ())
