"""Accounts in PostgreSQL: what is said joins what is there, under a lock that is taken last and held until COMMIT."""

from collections.abc import Mapping

from psycopg import AsyncConnection

from services.profile.accounting import AccountSaid
from services.profile.domain.account import AccountState, dump, join, load
from shared.runtime.arrays import byteas, int8s, texts, uuids

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


async def add_to_accounts(connection: AsyncConnection, said: Mapping[str, AccountSaid]) -> None:
    """Join what was said to what accounts are; in the order of their ids, so that nobody waits in a circle.

    No decision rests on an account, so it is not read before the batch is decided: two workers that write to a popular
    account wait for each other's COMMIT, where a version checked would have both redo whole batches.
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
        await connection.execute(
            _UPDATE,
            (
                texts([one for one, _, _ in rows]),
                int8s([version for _, version, _ in rows]),
                byteas([dump(state) for _, _, state in rows]),
            ),
        )
    named = [(one, key) for one in ids for key in sorted(said[one].identities)]
    await connection.execute(_NAMED, (texts([one for one, _ in named]), uuids([key for _, key in named])))
