"""What engagement needs from outside: a place for its rows, and somebody who carries mail."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from psycopg import AsyncConnection

from services.engagement.domain.announcement import Announcement
from services.engagement.domain.contact import Contact
from services.engagement.domain.following import Membership
from services.engagement.domain.ledger import Answer, Entry
from services.engagement.domain.mail import Mail
from services.engagement.domain.planning import Firing, Occasion
from shared.contracts.envelope import Order


@dataclass(frozen=True, slots=True)
class Touched:
    """What a batch touches.

    `updated` are customers whose records came in, `fired` those whose triggers fired, of `occurrences`; `woken` those
    whose triggers look again; `told` is whose the batch says identities are.
    """

    updated: Sequence[str]
    fired: Mapping[str, Occasion]
    occurrences: Sequence[str]
    woken: Sequence[str] = ()
    told: Mapping[str, Membership] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of that.

    `versions` is where each updated customer stands, `parked` the parked triggers of those and of woken ones;
    `contacts` are the customers of these triggers and of those that fired, and who they are now; `memberships` is whose
    their ids are, and those that the batch tells of; `seen` are occurrences that were parked or decided before;
    `written` says which campaigns wrote to which customer, if a merge made a trigger fire.
    """

    versions: Mapping[str, Order]
    contacts: Mapping[str, Contact]
    parked: Sequence[Firing]
    seen: frozenset[tuple[str, str]]
    memberships: Mapping[str, Membership] = field(default_factory=dict)
    written: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer's newest record as its bytes, or where the customer went, and what it replaces."""

    customer_id: str
    order: Order
    record: bytes | None
    redirect_to: str | None
    replaces: Order | None


@dataclass(slots=True)
class Rows:
    """What a batch writes, decided `at`."""

    at: datetime
    customers: list[CustomerRow] = field(default_factory=list)
    memberships: dict[str, Membership] = field(default_factory=dict)
    parked: list[Firing] = field(default_factory=list)
    released: list[Firing] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)


class Book(Protocol):
    """Where the handler keeps customers, parked triggers and new messages."""

    async def load(self, connection: AsyncConnection, touched: Touched) -> Known:
        """Read what is known of what a batch touches."""
        ...

    async def save(self, connection: AsyncConnection, rows: Rows) -> None:
        """Write a batch's rows; StaleStateError if a customer moved since `load`."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages that may be sent, with what is known of their customers, both locked until COMMIT.

    `contacts` are by id: of the messages' customers, and of who these are now by `memberships`. Left out: messages of
    whom something is just being rewritten; they are taken in the next round.
    """

    entries: Sequence[Entry]
    contacts: Mapping[str, Contact]
    memberships: Mapping[str, Membership]


class Ledger(Protocol):
    """Where messages stand."""

    async def has_due(self, lanes: Sequence[int], now: datetime) -> bool:
        """Look, outside of any transaction, whether something waits to be sent."""
        ...

    async def take(self, connection: AsyncConnection, lanes: Sequence[int], now: datetime, limit: int) -> Waiting:
        """Lock the oldest waiting messages of these lanes that are due."""
        ...

    async def put_off(self, connection: AsyncConnection, keys: Sequence[str], until: datetime) -> None:
        """Let messages that were taken wait; nothing is announced of it."""
        ...

    async def being_sent(self, connection: AsyncConnection, lanes: Sequence[int]) -> list[Entry]:
        """Lock all messages of these lanes that are being sent."""
        ...

    async def read(self, connection: AsyncConnection, keys: Sequence[str]) -> list[Entry]:
        """Lock messages by key."""
        ...

    async def write(self, connection: AsyncConnection, entries: Sequence[Entry]) -> list[Announcement]:
        """Write the next revision of messages, keep what is to be announced of them, and return that."""
        ...


class Mailer(Protocol):
    """Carries mail to a server."""

    async def ready(self) -> None:
        """Make sure of a connection.

        Raises:
            MailServerUnreachableError: there is none to be had.
        """
        ...

    async def deliver(self, mails: Iterator[Mail], most: int, answered: Callable[[str, Answer], None]) -> None:
        """Hand mails over, at most `most` of them, and tell the answer to each as soon as it is known; never raises."""
        ...

    async def close(self) -> None:
        """Take leave of the server."""
        ...
