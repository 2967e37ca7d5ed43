"""Accounts as a person asks for them: the record of one, who belongs to it now, and what they come to together."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
from psycopg import Connection

from services.profile.domain import notes
from services.profile.domain.account import load as load_account
from services.profile.domain.account import record_of
from services.profile.domain.registers import summed
from services.profile.domain.state import State, load
from shared.contracts.accounts import AccountRecord
from shared.contracts.codec import encode
from shared.contracts.money import Money, totals

MOST_MEMBERS = 1000

_ACCOUNT = "SELECT version, doc FROM accounts WHERE id = %s"
# By whoever was ever named in it: whether they still belong to it, their own record says.
_NAMED = """
    SELECT DISTINCT ON (coalesce(i.root, i.id)) uuid_send(coalesce(i.root, i.id)), coalesce(c.joined, i.doc)
    FROM account_identities n JOIN identities i ON i.id = n.identity_id LEFT JOIN customers c ON c.root = i.root
    WHERE n.account_id = %s AND coalesce(c.joined, i.doc) IS NOT NULL ORDER BY coalesce(i.root, i.id) LIMIT %s
"""


class AccountTotals(msgspec.Struct, frozen=True):
    """What the members of an account come to together."""

    customers: int
    orders: int
    revenue: tuple[Money, ...]


class Account(msgspec.Struct, frozen=True):
    """An account as the tables have it; `members` are customers by id.

    Of an account in which more than `MOST_MEMBERS` were named, only so many were looked at: then there are no totals.
    """

    version: int
    record: AccountRecord
    members: tuple[str, ...]
    totals: AccountTotals | None


def find_account(connection: Connection, account_id: str) -> Account | None:
    """Return an account by the id that its sender gives it, or nothing."""
    if "\0" in account_id:
        return None
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(_ACCOUNT, (account_id,)).fetchone()
        if row is None:
            return None
        version, document = row
        named = cursor.execute(_NAMED, (account_id, MOST_MEMBERS + 1)).fetchall()
    looked = [(key.hex(), load(state)) for key, state in named[:MOST_MEMBERS]]
    mine = encode(account_id)
    members = [(name, state) for name, state in looked if _account(state) == mine]
    together = None if len(named) > MOST_MEMBERS else _totals([state for _, state in members])
    record = record_of(account_id, load_account(document))
    return Account(version, record, tuple(name for name, _ in members), together)


def _account(state: State) -> bytes | None:
    register = state.registers.get(notes.ONE, {}).get(notes.ACCOUNT)
    return None if register is None else register.value


def _totals(states: Sequence[State]) -> AccountTotals:
    revenue: dict[str, Decimal] = {}
    for state in states:
        revenue = summed(revenue, state.revenue)
    return AccountTotals(len(states), sum(state.order_count for state in states), totals(revenue))
