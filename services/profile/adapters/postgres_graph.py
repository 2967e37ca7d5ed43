"""Who is who in PostgreSQL: identities with their places, customers of several, contested regions, links."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection

from services.profile.domain.clusters import Cluster, Stored, Territory, dump, load_region, load_standing, load_summary
from services.profile.domain.links import Cause, Link, Mark, Word
from services.profile.domain.settling import RegionChange
from services.profile.domain.state import dump as dump_state
from services.profile.domain.state import load
from services.profile.ports import Change, ClusterChange, GraphChange, Pair, Seating, Whole
from shared.contracts.identities import IdentityRef
from shared.runtime.arrays import UuidArray, byteas, int4s, int8s, texts, uuids
from shared.runtime.errors import StaleStateError

_PLACE = "version, doc, uuid_send(root), membership, standing"
_IDENTITIES = f"SELECT uuid_send(id), {_PLACE} FROM identities WHERE id = ANY(%s)"  # noqa: S608 - our own words only
_MEMBERS = f"SELECT uuid_send(id), {_PLACE}, kind, value FROM identities WHERE root = ANY(%s)"  # noqa: S608 - as above
_CLUSTERS = """
    SELECT uuid_send(c.root), c.version, c.summary, uuid_send(c.region), c.joined, r.version, r.summary
    FROM customers c LEFT JOIN regions r ON r.id = c.region WHERE
"""
_BY_ROOT = _CLUSTERS + "c.root = ANY(%s)"
_BY_REGION = _CLUSTERS + "c.region = ANY(%s)"
_LINK = "uuid_send(l.a), uuid_send(l.b), l.cause, l.first_at, l.message_id, l.source, l.word"
_LINKS = f"SELECT {_LINK} FROM unnest(%s, %s) AS n (a, b) JOIN links l USING (a, b)"  # noqa: S608 - as above
# Both ends as conditions of the index would be a descent for each pair of ids.
_AMONG = f"SELECT {_LINK} FROM links l WHERE l.a = ANY(%s) AND (l.b = ANY(%s)) IS NOT FALSE"  # noqa: S608 - as above

_UPDATE_SEATS = """
    UPDATE identities i SET version = n.version, doc = n.doc, root = n.root::uuid, membership = n.membership,
        standing = n.standing
    FROM unnest(%s, %s, %s, %s, %s, %s, %s) AS n (id, before, version, doc, root, membership, standing)
    WHERE i.id = n.id AND i.version = n.before
"""
_INSERT_SEATS = """
    INSERT INTO identities (id, kind, value, version, doc, root, membership, standing)
    SELECT n.id, n.kind, n.value, n.version, n.doc, n.root::uuid, n.membership, n.standing
    FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s) AS n (id, kind, value, version, doc, root, membership, standing)
    ON CONFLICT (id) DO NOTHING
"""
_UPDATE_CLUSTERS = """
    UPDATE customers c SET version = n.version, summary = n.summary, joined = n.joined,
        region = CASE WHEN n.moves = 1 THEN n.region::uuid ELSE c.region END
    FROM unnest(%s, %s, %s, %s, %s, %s, %s) AS n (root, before, moves, version, region, summary, joined)
    WHERE c.root = n.root AND c.version = n.before
"""
_INSERT_CLUSTERS = """
    INSERT INTO customers (root, version, region, summary, joined)
    SELECT n.root, n.version, n.region::uuid, n.summary, n.joined
    FROM unnest(%s, %s, %s, %s, %s) AS n (root, version, region, summary, joined)
    ON CONFLICT (root) DO NOTHING
"""
_DELETE_CLUSTERS = """
    DELETE FROM customers c USING unnest(%s, %s) AS n (root, before) WHERE c.root = n.root AND c.version = n.before
"""
_UPDATE_REGIONS = """
    UPDATE regions r SET version = n.version, summary = n.summary
    FROM unnest(%s, %s, %s, %s) AS n (id, before, version, summary) WHERE r.id = n.id AND r.version = n.before
"""
_INSERT_REGIONS = """
    INSERT INTO regions (id, version, summary) SELECT * FROM unnest(%s, %s, %s) ON CONFLICT (id) DO NOTHING
"""
_DELETE_REGIONS = """
    DELETE FROM regions r USING unnest(%s, %s) AS n (id, before) WHERE r.id = n.id AND r.version = n.before
"""
_MOVE_REGIONS = """
    UPDATE customers c SET region = n.target FROM unnest(%s, %s) AS n (source, target) WHERE c.region = n.source
"""
_INSERT_LINKS = """
    INSERT INTO links (a, b, cause, first_at, message_id, source, word)
    SELECT n.a, n.b, n.cause, n.first_at::timestamptz, n.message_id, n.source, n.word
    FROM unnest(%s, %s, %s, %s, %s, %s, %s) AS n (a, b, cause, first_at, message_id, source, word)
    ON CONFLICT (a, b) DO NOTHING
"""
_UPDATE_LINKS = """
    UPDATE links l SET cause = n.cause, first_at = n.first_at::timestamptz, message_id = n.message_id,
        source = n.source, word = n.word
    FROM unnest(%s, %s, %s, %s, %s, %s, %s) AS n (a, b, cause, first_at, message_id, source, word)
    WHERE l.a = n.a AND l.b = n.b
"""

_words = msgspec.msgpack.Decoder(Word)
_encoder = msgspec.msgpack.Encoder()


async def read_identities(connection: AsyncConnection, keys: Collection[bytes]) -> dict[str, Stored]:
    """Read identities by the bytes of their ids."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_IDENTITIES, (uuids(sorted(keys)),))
    return {
        key.hex(): Stored(version, load(doc))
        if standing is None and doc is not None
        else _placed(version, doc, root, membership, standing)
        for key, version, doc, root, membership, standing in await cursor.fetchall()
    }


async def read_clusters(
    connection: AsyncConnection, roots: Collection[str]
) -> tuple[dict[str, Cluster], dict[str, Territory]]:
    """Read customers of several identities, and their regions."""
    return await _clusters(connection, _BY_ROOT, roots)


async def read_whole(connection: AsyncConnection, roots: Collection[str], regions: Collection[str]) -> Whole:
    """Read customers, and all of some regions, with every identity."""
    clusters, territories = await _clusters(connection, _BY_ROOT, roots)
    if regions:
        more, around = await _clusters(connection, _BY_REGION, regions)
        clusters, territories = clusters | more, territories | around
    cursor = connection.cursor(binary=True)
    await cursor.execute(_MEMBERS, (_ids(clusters),))
    identities: dict[str, Stored] = {}
    refs: dict[str, IdentityRef] = {}
    for key, version, doc, root, membership, standing, kind, value in await cursor.fetchall():
        name = key.hex()
        identities[name] = _placed(version, doc, root, membership, standing)
        refs[name] = IdentityRef(name, kind, value)
    return Whole(identities, refs, clusters, territories)


async def read_links(connection: AsyncConnection, pairs: Collection[Pair]) -> dict[Pair, Link]:
    """Read what is known about pairs."""
    ordered = sorted(pairs)
    cursor = connection.cursor(binary=True)
    await cursor.execute(_LINKS, (_ids(a for a, _ in ordered), _ids(b for _, b in ordered)))
    return dict(map(_link, await cursor.fetchall()))


async def read_links_among(connection: AsyncConnection, ids: Collection[str]) -> dict[Pair, Link]:
    """Read all links of which both ends are among these."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_AMONG, (_ids(ids), _ids(ids)))
    return dict(map(_link, await cursor.fetchall()))


async def write_graph(connection: AsyncConnection, changes: Sequence[Change], graph: GraphChange) -> None:
    """Write identities, customers, regions and links, each where it still is as it was read.

    Raises:
        StaleStateError: something is not.
    """
    seats = sorted((*graph.seatings, *map(_seating, changes)), key=lambda one: one.key)
    await _seats(connection, seats)
    await _change_clusters(connection, graph)
    await _change_regions(connection, graph)
    for known in True, False:
        links = sorted((link for link, new in graph.links if new is not known), key=lambda link: link.pair)
        if links:
            await _all(connection, _UPDATE_LINKS if known else _INSERT_LINKS, _link_columns(links), len(links), "links")


async def _seats(connection: AsyncConnection, seats: Sequence[Seating]) -> None:
    there, new = [seat for seat in seats if seat.before], [seat for seat in seats if not seat.before]
    if there:
        keys, befores = uuids([seat.key for seat in there]), int8s([seat.before for seat in there])
        await _all(connection, _UPDATE_SEATS, (keys, befores, *_seat_columns(there)), len(there), "identities")
    if new:
        kinds, values = texts([seat.ref.kind for seat in new]), texts([seat.ref.value for seat in new])
        columns = (uuids([seat.key for seat in new]), kinds, values, *_seat_columns(new))
        await _all(connection, _INSERT_SEATS, columns, len(new), "identities")


def _seat_columns(seats: Sequence[Seating]) -> tuple[object, ...]:
    return (
        int8s([seat.version for seat in seats]),
        byteas([None if seat.state is None else dump_state(seat.state) for seat in seats]),
        texts([seat.root for seat in seats]),
        int4s([seat.membership for seat in seats]),
        byteas([None if seat.standing is None else dump(seat.standing) for seat in seats]),
    )


def _seating(change: Change) -> Seating:
    after = change.after
    return Seating(
        change.owner, change.key, change.before, after.version, after.state, after.root, after.membership,
        after.standing,
    )  # fmt: skip


async def _change_clusters(connection: AsyncConnection, graph: GraphChange) -> None:
    if graph.gone:
        gone = sorted(graph.gone)
        columns: tuple[object, ...] = (_ids(gone), int8s([graph.gone[root] for root in gone]))
        await _all(connection, _DELETE_CLUSTERS, columns, len(gone), "customers")
    changes = sorted(graph.clusters, key=lambda one: one.root)
    for there in True, False:
        some = [change for change in changes if bool(change.before) is there]
        if some:
            befores = (int8s([one.before for one in some]), int4s([one.moves for one in some])) if there else ()
            columns = (_ids(one.root for one in some), *befores, *_cluster_columns(some))
            await _all(connection, _UPDATE_CLUSTERS if there else _INSERT_CLUSTERS, columns, len(some), "customers")


def _cluster_columns(changes: Sequence[ClusterChange]) -> tuple[object, ...]:
    return (
        int8s([one.after.version for one in changes]),
        texts([one.after.region for one in changes]),
        byteas([dump(one.after.summary) for one in changes]),
        byteas([dump_state(one.after.state) for one in changes]),
    )


async def _change_regions(connection: AsyncConnection, graph: GraphChange) -> None:
    gone = sorted(graph.regions_gone)
    if gone:
        columns: tuple[object, ...] = (_ids(gone), int8s([graph.regions_gone[name] for name in gone]))
        await _all(connection, _DELETE_REGIONS, columns, len(gone), "regions")
    changes: list[RegionChange] = sorted(graph.regions, key=lambda one: one.id)
    for there in True, False:
        some = [change for change in changes if bool(change.before) is there]
        if some:
            befores = (int8s([one.before for one in some]),) if there else ()
            rest = (int8s([one.version for one in some]), byteas([dump(one.summary) for one in some]))
            columns = (_ids(one.id for one in some), *befores, *rest)
            await _all(connection, _UPDATE_REGIONS if there else _INSERT_REGIONS, columns, len(some), "regions")
    if graph.moved_regions:
        sources = sorted(graph.moved_regions)
        await connection.execute(_MOVE_REGIONS, (_ids(sources), _ids(graph.moved_regions[one] for one in sources)))


async def _all(
    connection: AsyncConnection, statement: str, columns: tuple[object, ...], wanted: int, what: str
) -> None:
    cursor = await connection.execute(statement, columns)
    if cursor.rowcount != wanted:
        raise StaleStateError(f"{wanted - cursor.rowcount} of {wanted} {what} were changed by somebody else")


async def _clusters(
    connection: AsyncConnection, statement: str, names: Collection[str]
) -> tuple[dict[str, Cluster], dict[str, Territory]]:
    clusters: dict[str, Cluster] = {}
    territories: dict[str, Territory] = {}
    cursor = connection.cursor(binary=True)
    await cursor.execute(statement, (_ids(names),))
    for root, version, summary, region, joined, region_version, region_summary in await cursor.fetchall():
        where = None if region is None else region.hex()
        clusters[root.hex()] = Cluster(version, where, load_summary(summary), load(joined))
        if where is not None:
            territories[where] = Territory(region_version, load_region(region_summary))
    return clusters, territories


def _ids(names: Iterable[str]) -> UuidArray:
    return uuids([bytes.fromhex(name) for name in names])


def _placed(version: int, doc: bytes | None, root: bytes | None, membership: int, standing: bytes | None) -> Stored:
    return Stored(
        version,
        None if doc is None else load(doc),
        None,
        None if root is None else root.hex(),
        membership,
        None if standing is None else load_standing(standing),
    )


def _link(row: Sequence[Any]) -> tuple[Pair, Link]:
    a, b, cause, at, message_id, source, word = row
    first = None if at is None else Mark(at, message_id, source)
    pair = a.hex(), b.hex()
    return pair, Link(*pair, first, first, Cause(cause), None if word is None else _words.decode(word))


def _link_columns(links: Sequence[Link]) -> tuple[object, ...]:
    return (
        _ids(link.a for link in links),
        _ids(link.b for link in links),
        texts([str(link.cause) for link in links]),
        texts([None if link.first is None else link.first.at.isoformat() for link in links]),
        texts([None if link.first is None else link.first.message_id for link in links]),
        texts([None if link.first is None else link.first.source for link in links]),
        byteas([None if link.word is None else _encoder.encode(link.word) for link in links]),
    )
