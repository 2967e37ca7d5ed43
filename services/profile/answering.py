"""What is answered about customers: one set of documents, which the command line prints and the query API sends."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from psycopg import Connection

from services.profile.adapters import postgres_lookup, postgres_search, postgres_timeline
from services.profile.adapters.postgres_lookup import Customer, Decision
from services.profile.adapters.postgres_search import Hit
from services.profile.adapters.postgres_timeline import Entry
from services.profile.cursors import NOBODY, Alike, Member, Moment, Spelt, written
from services.profile.domain.account import record_of as account_record
from services.profile.domain.finding import name_of
from services.profile.domain.lifecycle import USUAL, Stages
from services.profile.domain.record import lifecycle_of, record_of
from services.profile.domain.sections import addresses, pages
from services.profile.domain.trait_history import Word, judged
from shared.contracts.accounts import AccountRecord
from shared.contracts.customers import CustomerRecord, Lifecycle

MOST_WAITING = 10_000
"""Changes waiting for search are counted up to this."""


class Version(msgspec.Struct, frozen=True):
    """Which state of a customer this is, and for identities that had another customer before, how many they had."""

    number: int
    memberships: dict[str, int]


class Whole(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer; what a merge and its undoing leave behind is in `version` and `audit` alone.

    `redirected_from` is the id that was asked for, if it is another customer's now.
    """

    customer: CustomerRecord
    version: Version
    audit: tuple[Decision, ...]
    redirected_from: str | None = None


class Timeline(msgspec.Struct, frozen=True):
    """A page of what a customer did, newest first by event time; `next` is the cursor of the next page, if any."""

    customer_id: str
    activities: Sequence[Entry]
    next: str | None


class History(msgspec.Struct, frozen=True):
    """What was said about a trait, newest first; `next` is the cursor to go on with, if not all was looked at.

    `looked_at` counts the events that were read for it, which are bounded: `said` may be empty where there is a `next`.
    """

    customer_id: str
    trait: str
    said: Sequence[Word]
    looked_at: int
    next: str | None


class Match(msgspec.Struct, frozen=True):
    """A customer who was found, and the term that it was found by."""

    customer_id: str
    name: str | None
    addresses: Sequence[str]
    lifecycle: Lifecycle
    last_at: datetime
    matched: str


class Matches(msgspec.Struct, frozen=True):
    """A page of customers, best first; `waiting` counts changes that cannot be found by yet."""

    customers: Sequence[Match]
    next: str | None
    waiting: int


class Account(msgspec.Struct, frozen=True):
    """An account, and a page of who belongs to it; `next` is the cursor of the next page, if any."""

    account: AccountRecord
    version: int
    customers: Sequence[Match]
    next: str | None


def whole(connection: Connection, customer: Customer, asked: str, stages: Stages = USUAL) -> Whole:
    """Answer who a customer is; `asked` is what was asked for."""
    identities = postgres_lookup.members(connection, customer)
    by_id = ":" not in asked and asked.lower() != customer.customer_id
    return Whole(
        customer=record_of(customer.customer_id, customer.state, stages),
        version=Version(customer.version, dict(customer.memberships)),
        audit=tuple(postgres_lookup.decisions(connection, identities)),
        redirected_from=asked.lower() if by_id else None,
    )


def timeline(
    connection: Connection, customer: Customer, most: int, after: Moment | None = None, family: str | None = None
) -> Timeline:
    """Answer what a customer did, by whichever of its identities."""
    identities = postgres_lookup.members(connection, customer)
    page = postgres_timeline.page(connection, identities, most, after, family)
    return Timeline(customer.customer_id, page.entries, None if page.next is None else written(page.next))


def history(connection: Connection, customer: Customer, trait: str, most: int, after: Moment | None = None) -> History:
    """Answer what was said about a trait, and which of it counts."""
    identities = postgres_lookup.members(connection, customer)
    found = postgres_timeline.said_about(connection, identities, trait, most, after)
    words = judged(found.said, customer.state, trait)
    return History(
        customer.customer_id, trait, words, found.looked_at, None if found.next is None else written(found.next)
    )


def search(
    connection: Connection, text: str, most: int, after: Spelt | Alike | None = None, stages: Stages = USUAL
) -> Matches:
    """Answer who is known by a text."""
    found = postgres_search.search(connection, text, most, after)
    waiting = postgres_search.waiting(connection, MOST_WAITING)
    hits = [_match(hit, stages) for hit in found.hits]
    return Matches(hits, None if found.next is None else written(found.next), waiting)


def known(found: Sequence[Customer], wanted: str, stages: Stages = USUAL) -> Matches:
    """Answer who an identifier belongs to, as if it had been searched for."""
    return Matches([_match(Hit(customer, wanted), stages) for customer in found], None, 0)


def account(
    connection: Connection, account_id: str, most: int, after: Member | None = None, stages: Stages = USUAL
) -> Account | None:
    """Answer what an account is, and whose records say now that they belong to it."""
    found = postgres_lookup.account(connection, account_id)
    if found is None:
        return None
    version, state = found
    named = postgres_lookup.named_in(connection, account_id, most + 1, after.identity if after else NOBODY)
    page = named[:most]
    customers = postgres_lookup.load_all(connection, [bytes.fromhex(one) for one in page])
    return Account(
        account_record(account_id, state),
        version,
        [_match(Hit(one, account_id), stages) for one in customers.values() if _belongs(one, account_id)],
        written(Member(page[-1])) if len(named) > most else None,
    )


def _belongs(customer: Customer, account_id: str) -> bool:
    assigned = pages(customer.state)["account"]
    return assigned is not None and assigned.id == account_id


def _match(hit: Hit, stages: Stages) -> Match:
    state = hit.customer.state
    return Match(
        hit.customer.customer_id,
        name_of(state),
        [address.value for address in addresses(state)],
        lifecycle_of(state, stages),
        state.last_at,
        hit.term,
    )
