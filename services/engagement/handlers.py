"""Engagement's handler: customers are remembered, triggers wait for the version that fired them, then are decided."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg import AsyncConnection

from services.engagement.decoding import CustomerSeen, Event, Fired, read
from services.engagement.domain.announcement import Announcement, announce
from services.engagement.domain.campaign import Campaign
from services.engagement.domain.contact import Contact
from services.engagement.domain.following import Membership, believed
from services.engagement.domain.ledger import Entry
from services.engagement.domain.planning import Directory, Firing, Occasion, Waiting, judge
from services.engagement.ports import Book, CustomerRow, Known, Rows, Touched
from shared.contracts.topics import OUTREACH
from shared.runtime.handler import APPLIED, DUPLICATE, Decision, Message, Outcome, Publication, SetDue
from shared.runtime.records import DueInstant, Poison, Received, Record

LOOK_AGAIN = timedelta(seconds=1)
"""How soon a trigger looks again for a customer of another lane, whose worker knows nothing of our triggers."""


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
        return (read(record, self._planning.campaigns),)

    def keys(self, events: Sequence[Received[Event]], due: Sequence[DueInstant]) -> Touched:
        """Tell which customers and occurrences these events and instants are about."""
        updated: dict[str, None] = {}
        fired: dict[str, Occasion] = {}
        occurrences: dict[str, None] = {}
        told: list[tuple[str, Membership]] = []
        for received in events:
            event = received.event
            if isinstance(event, CustomerSeen):
                updated[event.customer_id] = None
                told += event.told
            else:
                for firing in event.firings:
                    merged = Occasion.MERGE in (firing.occasion, fired.get(firing.customer_id))
                    fired[firing.customer_id] = Occasion.MERGE if merged else Occasion.CHANGE
                    occurrences[firing.occurrence] = None
        woken = sorted({instant.key for instant in due})
        return Touched(sorted(updated), fired, sorted(occurrences), woken, believed({}, told))

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
            rows.customers.append(
                CustomerRow(customer_id, event.order, event.data, event.redirect_to, state.versions.get(customer_id))
            )
        memberships = believed(state.memberships, _told(events))
        if memberships != state.memberships:
            rows.memberships.update(memberships.items() - state.memberships.items())
        contacts = {**state.contacts, **{name: _contact(event) for name, event in newest.items()}}
        written = set(state.written)
        directory = Directory(contacts, memberships, written)
        due: dict[tuple[int, str], SetDue] = {}
        parked = list(state.parked)
        for firing in (*self._fresh(events, state, outcomes), *parked):
            campaign = self._planning.campaigns.get(firing.campaign)
            found = judge(firing, campaign, directory, self._planning.hash_address, now)
            if isinstance(found, Entry):
                rows.entries.append(found)
                if found.rule is None:
                    written.add((firing.campaign, firing.customer_id))
                if firing.parked_at is not None:
                    rows.released.append(firing)
                continue
            if firing.parked_at is None:
                rows.parked.append(replace(firing, parked_at=now))
            if found is Waiting.FOR_ANOTHER:
                due[firing.lane, firing.customer_id] = SetDue(firing.lane, firing.customer_id, now + LOOK_AGAIN)
        rows.announcements += announcements(rows.entries)
        return Decision(rows, outcomes, publications(rows.announcements), list(due.values()))

    async def save(self, connection: AsyncConnection, rows: Rows) -> None:
        """Write the rows."""
        await self._book.save(connection, rows)
        if rows.entries:
            self._planned()

    def forget(self) -> None:
        """Nothing is cached."""

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
    return Contact(event.customer_id, event.order.number, event.record, event.redirect_to)


def _told(events: Sequence[Received[Event]]) -> Iterator[tuple[str, Membership]]:
    # A stale record counts here: whose an identity is has numbers of its own.
    for received in events:
        if isinstance(received.event, CustomerSeen) and received.event.told:
            yield from received.event.told
