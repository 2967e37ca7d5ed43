"""What is kept of identities and customers beside their states: where each stands in the graph, as rows hold it."""

from datetime import datetime

import msgspec

from services.profile.domain.graph import Counts, Turn
from services.profile.domain.links import Block, Node, SignIn
from services.profile.domain.record import Portrait
from services.profile.domain.state import State


class Standing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An identity that others were named with; `told` if something stands under its id on the topic of customers."""

    first_at: datetime
    partners: int = 0
    stands_for_nobody: bool = False
    block: Block | None = None
    signed_in: SignIn | None = None
    told: bool = False


class Stored(msgspec.Struct, frozen=True, gc=False):
    """An identity as the table has it; `portrait` is what was drawn for its last record, if it is a customer.

    Without `root` it is its own customer, whose version is its own; without `standing`, it was never named with others.
    The version of one that has a `root` stays as it was: there the root's counts, which every write moves.
    """

    version: int
    state: State | None
    portrait: Portrait | None = None
    root: str | None = None
    membership: int = 1
    standing: Standing | None = None


class Summary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is told of a customer without reading its identities.

    It is called after one of kind `kind`, first seen at `first_at`; nothing was done by it unless it is `active`.
    `last` is the turn of its last link, if it has no region. `memberships` are those above one.
    """

    kind: str
    first_at: datetime
    size: int
    counts: Counts
    last: Turn | None
    active: bool
    memberships: dict[str, int]


class Cluster(msgspec.Struct, frozen=True, gc=False):
    """A customer of several identities, or one in a contested region; `state` is the join of its identities'."""

    version: int
    region: str | None
    summary: Summary
    state: State
    portrait: Portrait | None = None


class RegionSummary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is told of a contested region without reading its customers."""

    counts: Counts
    last: Turn | None


class Territory(msgspec.Struct, frozen=True, gc=False):
    """A contested region as the table has it; `due` is when the clock resolves it, if it was left upset."""

    version: int
    summary: RegionSummary
    due: datetime | None = None


def standing_of(node: Node, *, told: bool) -> Standing:
    """Return what is kept of an identity in the graph."""
    return Standing(node.first_at, node.partners, node.stands_for_nobody, node.block, node.signed_in, told)


_encoder = msgspec.msgpack.Encoder()
_standing = msgspec.msgpack.Decoder(Standing)
_summary = msgspec.msgpack.Decoder(Summary)
_region = msgspec.msgpack.Decoder(RegionSummary)


def dump(row: Standing | Summary | RegionSummary) -> bytes:
    """Pack a row's part."""
    return _encoder.encode(row)


def load_standing(packed: bytes) -> Standing:
    """Unpack an identity's standing."""
    return _standing.decode(packed)


def load_summary(packed: bytes) -> Summary:
    """Unpack a customer's summary."""
    return _summary.decode(packed)


def load_region(packed: bytes) -> RegionSummary:
    """Unpack a region's summary."""
    return _region.decode(packed)
