"""How much may be looked at as one: above that many identities, nobody resolves a region any more."""

from services.profile.domain.clusters import Territory
from services.profile.domain.holdings import Holdings, IncompleteError
from services.profile.domain.planning import RefusedError

MOST_RESOLVED = 20_000
"""Identities that are resolved together, by the clock or for people: some seconds and some hundred megabytes.

Whoever may send events can have any number of user ids linked with each other, so somewhere it has to end.
"""


class TooLargeError(RefusedError):
    """So many identities were named with each other that they are not looked at as a whole; the text says so."""

    def __init__(self, most: int) -> None:
        super().__init__(f"More than {most:,} identities were named with each other there: nobody resolves so many.")


def size_of(region: Territory) -> int:
    """Count a region's identities, by what is told of it."""
    return sum(region.summary.counts.values())


def extent(held: Holdings, wanting: IncompleteError) -> int:
    """Count the identities that are wanted whole, with those that are so already, by what is told of them."""
    regions = {name for name in held.whole_regions | wanting.regions if name in held.territories}
    found = (held.clusters[root] for root in held.whole | wanting.roots if root in held.clusters)
    alone = sum(cluster.summary.size for cluster in found if cluster.region not in regions)
    return alone + sum(size_of(held.territories[name]) for name in regions)
