"""Accounts in PostgreSQL: what is said joins what is there, under a lock that is taken last and held until COMMIT."""

from collections.abc import Mapping

from psycopg import AsyncConnection

from services.profile.accounting import AccountSaid
from services.profile.domain.account import AccountState, dump, join, load
from shared.runtime.arrays import byteas, int8s, texts, uuids
from shared.runtime.errors import StaleStateError

_INSERT = """
    INSERT INTO accounts (id, version, doc) SELECT n.id, 1, n.doc FROM unnest(%s, %s) AS n (id, doc)
    ON CONFLICT (id) DO NOTHING RETURNING id
"""
_HOLD = "SELECT id, version, doc FROM accounts WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_UPDATE = """
    UPDATE accounts a SET version = n.version, doc = n.doc FROM unnest(%s, %s, %s) AS n (id, version, doc)
    WHERE a.id = n.id
"""
_NAMED = """
    INSERT INTO account_identities (account_id, identity_id) SELECT * FROM unnest(%s, %s)
    ON CONFLICT (account_id, identity_id) DO NOTHING
"""
_ALL = """
    SELECT a.id, a.version, a.doc, array_to_string(array_agg(n.identity_id), ',')
    FROM accounts a LEFT JOIN account_identities n ON n.account_id = a.id GROUP BY a.id
"""
_DELETE = "DELETE FROM accounts a USING unnest(%s, %s) AS n (id, before) WHERE a.id = n.id AND a.version = n.before"
_REPLACE = """
    UPDATE accounts a SET version = n.before + 1, doc = n.doc FROM unnest(%s, %s, %s) AS n (id, before, doc)
    WHERE a.id = n.id AND a.version = n.before
"""
_UNNAMED = "DELETE FROM account_identities WHERE account_id = ANY(%s)"


async def add_to_accounts(connection: AsyncConnection, said: Mapping[str, AccountSaid]) -> None:
    """Join what was said to what accounts are; in the order of their ids, so that nobody waits in a circle.

    No decision rests on an account, so it is not read before the batch is decided: two workers that write to a popular
    account wait for each other's COMMIT, where a version checked would have both redo whole batches.

    Raises:
        StaleStateError: an account was there and is gone, as a rebuild takes one away of which nothing was said.
    """
    ids = sorted(said)
    cursor = await connection.execute(_INSERT, (texts(ids), byteas([dump(said[one].state) for one in ids])))
    new = {account_id for (account_id,) in await cursor.fetchall()}
    known = [one for one in ids if one not in new]
    if known:
        held = connection.cursor(binary=True)
        await held.execute(_HOLD, (texts(known),))
        rows: list[tuple[str, int, AccountState]] = [
            (one, version + 1, join(load(doc), said[one].state)) for one, version, doc in await held.fetchall()
        ]
        if len(rows) != len(known):
            raise StaleStateError("an account was taken away by somebody else")
        await connection.execute(
            _UPDATE,
            (
                texts([one for one, _, _ in rows]),
                int8s([version for _, version, _ in rows]),
                byteas([dump(state) for _, _, state in rows]),
            ),
        )
    await _name(connection, said)


async def read_all(connection: AsyncConnection) -> Mapping[str, tuple[int, AccountSaid]]:
    """Read every account with its version."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(_ALL)
    return {
        one: (version, AccountSaid(load(doc), _keys(identities)))
        for one, version, doc, identities in await cursor.fetchall()
    }


async def replace_accounts(
    connection: AsyncConnection, wanted: Mapping[str, AccountSaid | None], before: Mapping[str, int]
) -> None:
    """Write accounts as they are to be, and take those out of which nothing was said.

    Raises:
        StaleStateError: one of them is not at the version that it had before (none: 0).
    """
    kept = {one: said for one, said in sorted(wanted.items()) if said is not None}
    gone = [one for one in sorted(wanted) if wanted[one] is None]
    new, old = [one for one in kept if one not in before], [one for one in kept if one in before]
    done = 0
    for statement, names, columns in (
        (_INSERT, new, (byteas([dump(kept[one].state) for one in new]),)),
        (_REPLACE, old, (int8s([before[one] for one in old]), byteas([dump(kept[one].state) for one in old]))),
        (_DELETE, gone, (int8s([before[one] for one in gone]),)),
    ):
        if names:
            cursor = await connection.execute(statement, (texts(names), *columns))
            done += cursor.rowcount
    if done != len(wanted):
        raise StaleStateError("an account was written by somebody else")
    await connection.execute(_UNNAMED, (texts(sorted(wanted)),))
    await _name(connection, kept)


async def _name(connection: AsyncConnection, said: Mapping[str, AccountSaid]) -> None:
    named = [(one, key) for one in sorted(said) for key in sorted(said[one].identities)]
    await connection.execute(_NAMED, (texts([one for one, _ in named]), uuids([key for _, key in named])))


def _keys(identities: str | None) -> frozenset[bytes]:
    return frozenset(bytes.fromhex(one.replace("-", "")) for one in (identities or "").split(",") if one)
