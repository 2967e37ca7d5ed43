"""Engagement's handler: customers are remembered, triggers wait for the version that fired them, then are decided."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from psycopg import AsyncConnection

from services.engagement.domain.announcement import Announcement, announce
from services.engagement.domain.campaign import Campaign
from services.engagement.domain.contact import Contact
from services.engagement.domain.ledger import Entry
from services.engagement.domain.planning import Firing, decide, firings
from services.engagement.ports import Book, CustomerRow, Known, Rows, Touched
from shared.contracts.codec import MalformedMessageError, decode
from shared.contracts.customers import CustomerRecord
from shared.contracts.envelope import Order, header, version_of
from shared.contracts.segments import SegmentChange
from shared.contracts.topics import CUSTOMERS, OUTREACH, SEGMENT_CHANGES
from shared.runtime.handler import APPLIED, DUPLICATE, Decision, Message, Outcome, Publication
from shared.runtime.moments import parse_time
from shared.runtime.records import DueInstant, Poison, Received, Record


class CustomerSeen(msgspec.Struct, frozen=True, gc=False):
    """A customer's record as it came in; nothing once the customer is gone."""

    customer_id: str
    order: Order
    record: CustomerRecord | None
    data: bytes | None


class Fired(msgspec.Struct, frozen=True, gc=False):
    """A segment change with the campaigns that it sets off."""

    firings: Sequence[Firing]


Event = CustomerSeen | Fired

_ANOTHER_MAJOR = Poison("unknown_type", "ce_type", "a type of major version 1", "another version")


@dataclass(frozen=True, slots=True)
class Planning:
    """What decisions follow from: the campaigns there are, and how an address is named without revealing it."""

    campaigns: Mapping[str, Campaign]
    hash_address: Callable[[str], str]


class EngagementHandler:
    """Keeps no cache. `planned` is called when a batch is about to commit messages that can be sent."""

    def __init__(self, planning: Planning, book: Book, planned: Callable[[], None]) -> None:
        self._planning = planning
        self._book = book
        self._planned = planned

    def decode(self, record: Record) -> Sequence[Event | Poison]:
        """Read one customer or one segment change."""
        try:
            if record.topic == CUSTOMERS.name:
                return (_customer(record),)
            if record.topic == SEGMENT_CHANGES.name:
                return (self._change(record),)
        except MalformedMessageError as error:
            return (Poison("malformed", expected=record.topic, found=str(error)),)
        return (Poison("unexpected_topic", expected=f"{CUSTOMERS.name} or {SEGMENT_CHANGES.name}", found=record.topic),)

    def keys(self, events: Sequence[Received[Event]], _due: Sequence[DueInstant]) -> Touched:
        """Tell which customers and occurrences these events are about."""
        updated: dict[str, None] = {}
        fired: dict[str, None] = {}
        occurrences: dict[str, None] = {}
        for received in events:
            event = received.event
            if isinstance(event, CustomerSeen):
                updated[event.customer_id] = None
            else:
                for firing in event.firings:
                    fired[firing.customer_id] = None
                    occurrences[firing.occurrence] = None
        return Touched(sorted(updated), sorted(fired), sorted(occurrences))

    async def load(self, connection: AsyncConnection, keys: Touched) -> Known:
        """Read what is known of them."""
        return await self._book.load(connection, keys)

    def decide(
        self, events: Sequence[Received[Event]], _due: Sequence[DueInstant], state: Known, now: datetime
    ) -> Decision[Rows]:
        """Remember customers first, then decide each trigger whose customer is known well enough; park the others.

        Customers come first because consent and address are asked as they are now, whatever order the two topics of
        one batch were read in.
        """
        rows = Rows(at=now)
        outcomes: list[Outcome] = [APPLIED] * len(events)
        newest = _newest(events, state, outcomes)
        for customer_id, event in newest.items():
            rows.customers.append(CustomerRow(customer_id, event.order, event.data, state.versions.get(customer_id)))
        contacts = {**state.contacts, **{name: _contact(event) for name, event in newest.items()}}
        for firing in self._fresh(events, state, outcomes):
            if _known_well_enough(contacts.get(firing.customer_id), firing):
                rows.entries.append(self._decide(firing, contacts, now))
            else:
                rows.parked.append(firing)
        for firing in state.parked:
            if _known_well_enough(contacts.get(firing.customer_id), firing):
                rows.released.append(firing)
                rows.entries.append(self._decide(firing, contacts, now))
        rows.announcements += announcements(rows.entries)
        return Decision(rows, outcomes, publications(rows.announcements))

    async def save(self, connection: AsyncConnection, rows: Rows) -> None:
        """Write the rows."""
        await self._book.save(connection, rows)
        if rows.entries:
            self._planned()

    def forget(self) -> None:
        """Nothing is cached."""

    def _change(self, record: Record) -> Event | Poison:
        if _is_of_another_major(record):
            return _ANOTHER_MAJOR
        if record.value is None:
            return Poison("malformed", expected=SEGMENT_CHANGES.name, found="no value")
        change = decode(SegmentChange, record.value)
        caused_at = parse_time(header(record.headers, "crm_accepted_at"))
        return Fired(firings(self._planning.campaigns, change, record.partition, caused_at))

    def _fresh(self, events: Sequence[Received[Event]], state: Known, outcomes: list[Outcome]) -> Iterator[Firing]:
        seen = set(state.seen)
        for place, received in enumerate(events):
            if not isinstance(received.event, Fired) or not received.event.firings:
                continue
            fresh = [one for one in received.event.firings if (one.occurrence, one.campaign) not in seen]
            if not fresh:
                # The log is sequenced, so this is a restored database that said the same again.
                outcomes[place] = DUPLICATE
            seen.update((one.occurrence, one.campaign) for one in fresh)
            yield from fresh

    def _decide(self, firing: Firing, contacts: Mapping[str, Contact], now: datetime) -> Entry:
        campaign = self._planning.campaigns.get(firing.campaign)
        return decide(firing, campaign, contacts.get(firing.customer_id), self._planning.hash_address, now)


def announcements(entries: Sequence[Entry]) -> list[Announcement]:
    """Tell what is to be announced of these messages."""
    found = (announce(entry) for entry in entries)
    return [one for one in found if one is not None]


def publications(announced: Sequence[Announcement]) -> list[Publication]:
    """Turn announcements into publications on their customers' lanes."""
    return [Publication(OUTREACH.name, one.lane, one.id.encode(), outreach_message(one)) for one in announced]


def outreach_message(announcement: Announcement) -> Message:
    """Render an announcement: the same row gives the same message, now and after a crash."""
    return Message(announcement.customer_id.encode(), announcement.value, announcement.headers())


def _customer(record: Record) -> Event | Poison:
    order = version_of(record.headers)
    if order is None:
        return Poison("no_version", "ce_version", "numbers in ce_version and ce_incarnation", "none")
    if not record.key:
        return Poison("no_key", expected="a customer id as the key", found="no key")
    try:
        customer_id = record.key.decode("ascii")
    except UnicodeDecodeError:
        return Poison("malformed", expected="a customer id as the key", found="bytes")
    if record.value is None:
        return CustomerSeen(customer_id, order, None, None)
    if _is_of_another_major(record):
        return _ANOTHER_MAJOR
    return CustomerSeen(customer_id, order, decode(CustomerRecord, record.value), record.value)


def _is_of_another_major(record: Record) -> bool:
    kind = header(record.headers, "ce_type")
    return kind is not None and not kind.endswith(".v1")


def _newest(events: Sequence[Received[Event]], state: Known, outcomes: list[Outcome]) -> dict[str, CustomerSeen]:
    newest: dict[str, CustomerSeen] = {}
    for place, received in enumerate(events):
        event = received.event
        if not isinstance(event, CustomerSeen):
            continue
        earlier = newest.get(event.customer_id)
        known = state.versions.get(event.customer_id) if earlier is None else earlier.order
        if known is not None and (event.order.incarnation, event.order.number) <= (known.incarnation, known.number):
            outcomes[place] = DUPLICATE
        else:
            newest[event.customer_id] = event
    return newest


def _contact(event: CustomerSeen) -> Contact:
    return Contact(event.customer_id, event.order.number, event.record)


def _known_well_enough(contact: Contact | None, firing: Firing) -> bool:
    return contact is not None and contact.version >= firing.customer_version
