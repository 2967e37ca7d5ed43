"""Writing who is who into PostgreSQL: each row where it still is as it was read."""

from collections.abc import Iterable, Sequence

import msgspec
from psycopg import AsyncConnection

from services.profile.domain.clusters import dump
from services.profile.domain.links import Link
from services.profile.domain.settling import RegionChange
from services.profile.domain.state import dump as dump_state
from services.profile.ports import Change, ClusterChange, GraphChange, Seating
from shared.runtime.arrays import UuidArray, byteas, int4s, int8s, texts, uuids
from shared.runtime.errors import StaleStateError

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
    UPDATE regions r SET version = n.version, summary = n.summary, untangle_due = n.due::timestamptz
    FROM unnest(%s, %s, %s, %s, %s) AS n (id, before, version, summary, due)
    WHERE r.id = n.id AND r.version = n.before
"""
_INSERT_REGIONS = """
    INSERT INTO regions (id, version, summary, untangle_due)
    SELECT n.id, n.version, n.summary, n.due::timestamptz FROM unnest(%s, %s, %s, %s) AS n (id, version, summary, due)
    ON CONFLICT (id) DO NOTHING
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

_encoder = msgspec.msgpack.Encoder()


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
            rest = (
                int8s([one.version for one in some]),
                byteas([dump(one.summary) for one in some]),
                texts([None if one.due is None else one.due.isoformat() for one in some]),
            )
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


def _ids(names: Iterable[str]) -> UuidArray:
    return uuids([bytes.fromhex(name) for name in names])


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
