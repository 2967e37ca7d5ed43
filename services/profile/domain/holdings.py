"""What is held of people, customers and regions while it is found out who is who: as read, and as it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from services.profile.domain.clusters import Cluster, Stored, Territory
from services.profile.domain.graph import Counts, Turn, added
from services.profile.domain.links import Link, Node
from services.profile.domain.sighting import Seat
from shared.contracts.identities import IdentityRef

Pair = tuple[str, str]


class IncompleteError(Exception):
    """These customers, or all in these regions, must be read with every identity and every link among them."""

    def __init__(self, roots: frozenset[str], regions: frozenset[str]) -> None:
        super().__init__(f"{len(roots)} customers and {len(regions)} regions must be read whole")
        self.roots = roots
        self.regions = regions


class Holdings(msgspec.Struct, frozen=True):
    """What was read: identities, their customers, the regions of those, and links.

    Of the customers in `whole`, and of all in the regions of `whole_regions`, every identity is here, with every link
    among all that are here; else only the links that were asked for.
    """

    identities: Mapping[str, Stored]
    refs: Mapping[str, IdentityRef]
    clusters: Mapping[str, Cluster]
    territories: Mapping[str, Territory]
    links: Mapping[Pair, Link]
    whole: frozenset[str] = frozenset()
    whole_regions: frozenset[str] = frozenset()
    all_links: bool = False


@dataclass(slots=True, eq=False)
class Area:
    """A region while edges are taken; uncontested, it is one group's own.

    It is `upset` if its customers may not be what its links say: it is so large that the clock sees to it.
    """

    counts: Counts
    last: Turn | None
    contested: bool
    rows: dict[str, Territory]
    groups: "set[Group]" = field(default_factory=set)
    whole: bool = True
    changed: bool = False
    upset: bool = False

    @property
    def kept(self) -> bool:
        """Tell whether it needs a row of its own."""
        return self.contested or self.upset

    @property
    def size(self) -> int:
        """Count its identities."""
        return sum(self.counts.values())

    def absorb(self, other: "Area", *, contested: bool) -> None:
        """Make one region of two."""
        self.counts, self.contested = added(self.counts, other.counts), contested
        self.rows |= other.rows
        self.groups |= other.groups
        self.whole = self.whole and other.whole
        self.upset = self.upset or other.upset
        for group in other.groups:
            group.area = self


@dataclass(slots=True, eq=False)
class Group:
    """A customer while edges are taken: identities that are here, and clusters that are in it as they were.

    `touched` says that its version must move.
    """

    elder: Node
    counts: Counts
    size: int
    area: Area
    people: set[str]
    clusters: set[str]
    touched: bool = False

    def absorb(self, other: "Group", elder: Node) -> None:
        """Make one customer of two, which are in one region."""
        self.elder, self.counts = elder, added(self.counts, other.counts)
        self.size += other.size
        self.people |= other.people
        self.clusters |= other.clusters
        self.touched = True
        self.area.groups.discard(other)


@dataclass(slots=True, eq=False)
class Person:
    """An identity while edges are taken; `before` is how it stood."""

    ref: IdentityRef
    stored: Stored | None
    before: Node
    node: Node
    group: Group

    @property
    def customer(self) -> str:
        """Return whose it was."""
        return self.ref.id if self.stored is None or self.stored.root is None else self.stored.root


def seat_of(person: Person) -> Seat:
    """Return an identity with its customer and its region."""
    group = person.group
    area = group.area
    return Seat(person.node, str(id(group)), group.counts, str(id(area)), area.counts, area.contested, area.last)
