"""Customers as somebody asks for them: by id or by any identifier that they were seen with."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection

from services.profile.domain.account import AccountState
from services.profile.domain.account import load as load_account
from services.profile.domain.clusters import load_summary
from services.profile.domain.state import State, load
from shared.contracts.identities import IdentityKind, IdentityRef, identity_id
from shared.runtime.arrays import uuids

WANTED = re.compile(r"[0-9a-fA-F]{32}|[^:]+:.+", re.DOTALL)
"""A customer id, or KIND:VALUE."""
MOST_DECISIONS = 100

_ID = re.compile(r"[0-9a-f]{32}")
_IN_LOWER_CASE = IdentityKind.EMAIL.value

# Whoever did nothing under any of its identities is nobody's customer.
_CUSTOMERS = """
    SELECT uuid_send(i.id), uuid_send(coalesce(i.root, i.id)), coalesce(c.version, i.version),
        coalesce(c.joined, i.doc), c.summary, i.membership
    FROM identities i LEFT JOIN customers c ON c.root = i.root
    WHERE (c.summary IS NOT NULL OR i.doc IS NOT NULL) AND
"""
_BY_IDS = _CUSTOMERS + "i.id = ANY(%s)"
# Reads all identities: for a person without the secret that ids are made with, never for a program.
_BY_VALUE = _CUSTOMERS + "i.value = ANY(%(values)s) AND i.kind = %(kind)s"
_MEMBERS = """
    SELECT uuid_send(id), kind, value FROM identities
    WHERE id = ANY(%(id)s) OR root = ANY(%(id)s)
"""
_DECISIONS = """
    SELECT d.id::text, d.decided_at, d.who, d.why, d.kind, d.identities, d.undoes::text, a.applied_at, a.result
    FROM decisions d LEFT JOIN decisions_applied a ON a.decision = d.id
    WHERE d.identities && %s ORDER BY d.decided_at DESC, d.id DESC LIMIT %s
"""
_ACCOUNT = "SELECT version, doc FROM accounts WHERE id = %s"
_NAMED_IN = """
    SELECT uuid_send(identity_id) FROM account_identities
    WHERE account_id = %s AND identity_id > %s::uuid ORDER BY identity_id LIMIT %s
"""


class Customer(msgspec.Struct, frozen=True):
    """A customer as the table has it; `asked_id` is the identity that led there."""

    customer_id: str
    version: int
    state: State
    memberships: Mapping[str, int]
    asked_id: str

    @property
    def key(self) -> bytes:
        """Return the id as bytes."""
        return bytes.fromhex(self.customer_id)


class Decision(msgspec.Struct, frozen=True):
    """What somebody decided about who is one person, when, why, and what came of it, if it was applied yet."""

    id: str
    decided_at: datetime
    who: str
    why: str
    kind: str
    identities: tuple[str, ...]
    undoes: str | None
    applied_at: datetime | None
    result: Any


def find(connection: Connection, wanted: str, secret: bytes | None) -> list[Customer]:
    """Find a customer by any identity of it: by id (32 hexadecimal digits) or by `kind:value`.

    With the secret that ids are made with, an identifier is found by its id; without it every identity is read. An
    e-mail address is also tried in lower case, as ingest keeps it.
    """
    kind, colon, value = wanted.partition(":")
    with connection.cursor(binary=True) as cursor:
        if not colon:
            if _ID.fullmatch(wanted.lower()) is None:
                return []
            rows = cursor.execute(_BY_IDS, (uuids([bytes.fromhex(wanted)]),)).fetchall()
        elif "\0" in wanted:
            return []
        else:
            values = spellings(kind, value)
            if secret is None:
                rows = cursor.execute(_BY_VALUE, {"values": values, "kind": kind}).fetchall()
            else:
                ids = [bytes.fromhex(identity_id(secret, kind, one)) for one in values]
                rows = cursor.execute(_BY_IDS, (uuids(ids),)).fetchall()
    found = {customer.customer_id: customer for row in rows if (customer := _customer(*row)) is not None}
    return list(found.values())


def load_all(connection: Connection, ids: Sequence[bytes]) -> dict[str, Customer]:
    """Read customers by the ids of identities; returns them by their own ids."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_BY_IDS, (uuids(ids),)).fetchall()
    return {customer.customer_id: customer for row in rows if (customer := _customer(*row)) is not None}


def members(connection: Connection, customer: Customer) -> list[IdentityRef]:
    """List all identities of a customer, also those that its record has no room for."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_MEMBERS, {"id": uuids([customer.key])}).fetchall()
    return [IdentityRef(key.hex(), kind, value) for key, kind, value in rows]


def decisions(connection: Connection, identities: Sequence[IdentityRef]) -> list[Decision]:
    """List what people decided about any of these identities, newest first, a hundred at most."""
    keys = uuids([bytes.fromhex(one.id) for one in identities])
    rows = connection.execute(_DECISIONS, (keys, MOST_DECISIONS)).fetchall()
    return [
        Decision(id_, at, who, why, kind, tuple(one.hex for one in about), undoes, applied_at, result)
        for id_, at, who, why, kind, about, undoes, applied_at, result in rows
    ]


def account(connection: Connection, account_id: str) -> tuple[int, AccountState] | None:
    """Read an account with its version."""
    if "\0" in account_id:
        return None
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(_ACCOUNT, (account_id,)).fetchone()
    return None if row is None else (row[0], load_account(row[1]))


def named_in(connection: Connection, account_id: str, most: int, after: str) -> list[str]:
    """List identities that were ever named in an account, by id, after one of them."""
    with connection.cursor(binary=True) as cursor:
        return [key.hex() for (key,) in cursor.execute(_NAMED_IN, (account_id, after, most)).fetchall()]


def spellings(kind: str, value: str) -> list[str]:
    """Return how an identifier may be kept: as it is, and an e-mail address in lower case."""
    spelt = value.strip().lower() if kind == _IN_LOWER_CASE else value
    return [value] if spelt == value else [value, spelt]


def _customer(
    key: bytes, root: bytes, version: int, document: bytes, packed: bytes | None, membership: int
) -> Customer | None:
    name = root.hex()
    memberships: Mapping[str, int] = {name: membership} if membership > 1 else {}
    if packed is not None:
        summary = load_summary(packed)
        if not summary.active:
            return None
        memberships = summary.memberships
    return Customer(name, version, load(document), memberships, key.hex())
