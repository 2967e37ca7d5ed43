"""Who is who as PostgreSQL has it: identities with their places, customers of several, contested regions, links."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection

from services.profile.domain.clusters import Cluster, Stored, Territory, load_region, load_standing, load_summary
from services.profile.domain.links import Cause, Link, Mark, Word
from services.profile.domain.state import load
from services.profile.ports import Pair, Whole
from shared.contracts.identities import IdentityRef
from shared.runtime.arrays import UuidArray, texts, timestamps, uuids

_PLACE = "version, doc, uuid_send(root), membership, standing"
_IDENTITIES = f"SELECT uuid_send(id), {_PLACE} FROM identities WHERE id = ANY(%s)"  # noqa: S608 - our own words only
_NAMED = f"SELECT uuid_send(id), {_PLACE}, kind, value FROM identities WHERE"  # noqa: S608 - as above
_MEMBERS = _NAMED + " root = ANY(%s)"
_PEOPLE = _NAMED + " id = ANY(%s)"
_CLUSTERS = """
    SELECT uuid_send(c.root), c.version, c.summary, uuid_send(c.region), c.joined, r.version, r.summary, r.untangle_due
    FROM customers c LEFT JOIN regions r ON r.id = c.region WHERE
"""
_BY_ROOT = _CLUSTERS + "c.root = ANY(%s)"
_BY_REGION = _CLUSTERS + "c.region = ANY(%s)"
_LINK = "uuid_send(l.a), uuid_send(l.b), l.cause, l.first_at, l.message_id, l.source, l.word"
_LINKS = f"SELECT {_LINK} FROM unnest(%s, %s) AS n (a, b) JOIN links l USING (a, b)"  # noqa: S608 - as above
_ALL_OF = f"SELECT {_LINK} FROM links l WHERE l.a = ANY(%s) OR l.b = ANY(%s) LIMIT %s"  # noqa: S608 - as above
# Both ends as conditions of the index would be a descent for each pair of ids.
_AMONG = f"SELECT {_LINK} FROM links l WHERE l.a = ANY(%s) AND (l.b = ANY(%s)) IS NOT FALSE"  # noqa: S608 - as above

_NAMES = """
    SELECT n.at, n.message_id, n.source, t.name
    FROM unnest(%s, %s, %s, %s, %s) AS n (a, b, at, message_id, source)
    CROSS JOIN LATERAL (
        SELECT name FROM timeline
        WHERE identity_id IN (n.a, n.b) AND occurred_at = n.at AND message_id = n.message_id AND source = n.source
        LIMIT 1
    ) AS t
"""
_UPSET = "SELECT uuid_send(id), summary FROM regions WHERE id = ANY(%s) AND untangle_due IS NOT NULL"

_TURN = int.from_bytes(b"whoiswho")
"""The lock of those who work on who is who."""

_words = msgspec.msgpack.Decoder(Word)


async def go_beside(connection: AsyncConnection) -> None:
    """Let others work on who is who meanwhile; wait for who works alone."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_TURN,))


async def go_alone(connection: AsyncConnection) -> None:
    """Wait until nobody else works on who is who, and keep them out until this transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_TURN,))


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
    identities, refs = await _named(connection, _MEMBERS, clusters)
    return Whole(identities, refs, clusters, territories)


async def read_people(connection: AsyncConnection, ids: Collection[str]) -> Whole:
    """Read these identities alone, with their customers and the regions of those."""
    identities, refs = await _named(connection, _PEOPLE, ids)
    roots = {one.root for one in identities.values() if one.root is not None}
    clusters, territories = await _clusters(connection, _BY_ROOT, roots)
    return Whole(identities, refs, clusters, territories)


async def read_upset(connection: AsyncConnection, regions: Collection[str]) -> dict[str, int]:
    """Tell which of these regions wait for the clock, and how many identities each has."""
    cursor = await connection.execute(_UPSET, (_ids(regions),), binary=True)
    return {key.hex(): sum(load_region(summary).counts.values()) for key, summary in await cursor.fetchall()}


async def read_links_of(connection: AsyncConnection, ids: Collection[str], most: int | None = None) -> dict[Pair, Link]:
    """Read all links of these identities, or `most` of them."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_ALL_OF, (_ids(ids), _ids(ids), most))
    return dict(map(_link, await cursor.fetchall()))


async def read_event_names(connection: AsyncConnection, links: Sequence[Link]) -> dict[Mark, str]:
    """Read what the first events of links were called, as far as the timeline has them; each is one end's own."""
    firsts = [(link.first, link.pair) for link in links if link.first is not None]
    columns = (
        _ids(pair[0] for _, pair in firsts),
        _ids(pair[1] for _, pair in firsts),
        timestamps([first.at for first, _ in firsts]),
        texts([first.message_id for first, _ in firsts]),
        texts([first.source for first, _ in firsts]),
    )
    cursor = await connection.execute(_NAMES, columns)
    return {Mark(at, message_id, source): name for at, message_id, source, name in await cursor.fetchall()}


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


async def _clusters(
    connection: AsyncConnection, statement: str, names: Collection[str]
) -> tuple[dict[str, Cluster], dict[str, Territory]]:
    clusters: dict[str, Cluster] = {}
    territories: dict[str, Territory] = {}
    cursor = connection.cursor(binary=True)
    await cursor.execute(statement, (_ids(names),))
    for root, version, summary, region, joined, region_version, region_summary, due in await cursor.fetchall():
        where = None if region is None else region.hex()
        clusters[root.hex()] = Cluster(version, where, load_summary(summary), load(joined))
        if where is not None:
            territories[where] = Territory(region_version, load_region(region_summary), due)
    return clusters, territories


async def _named(
    connection: AsyncConnection, statement: str, ids: Collection[str]
) -> tuple[dict[str, Stored], dict[str, IdentityRef]]:
    identities: dict[str, Stored] = {}
    refs: dict[str, IdentityRef] = {}
    cursor = connection.cursor(binary=True)
    await cursor.execute(statement, (_ids(ids),))
    for key, version, doc, root, membership, standing, kind, value in await cursor.fetchall():
        name = key.hex()
        identities[name] = _placed(version, doc, root, membership, standing)
        refs[name] = IdentityRef(name, kind, value)
    return identities, refs


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
