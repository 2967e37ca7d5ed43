"""In whatever order records, redirects and removals are read, late ones and repeats included, each id ends with whose
it is; and never with a customer whose record does not say so.
"""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from services.engagement.decoding import CustomerSeen, read
from services.engagement.domain.contact import Contact
from services.engagement.domain.following import Membership, believed, follow
from shared.runtime.records import PlainRecord
from tests.unit.services.engagement.records import customer, person, record, redirect

PEOPLE = range(1, 5)


@dataclass
class Profile:
    """Who is who as profile moves it, and what it says of that: versions and memberships only grow."""

    whose: dict[int, int] = field(default_factory=lambda: {one: one for one in PEOPLE})
    count: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PEOPLE, 1))
    version: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PEOPLE, 0))
    said: list[PlainRecord] = field(default_factory=list)

    def moves(self, one: int, to: int) -> None:
        """Give an id to a customer, back to itself, or let its customer say something."""
        left = self.whose[one]
        if left == to or (to != one and self.whose[to] != to) or (one != to and one in self._elders(one)):
            self.says(left)
            return
        self.whose[one], self.count[one] = to, self.count[one] + 1
        if to != one:
            self.said.append(redirect(one, to, self._next(one), self.count[one]))
        self.says(to)
        if left != one:
            self.says(left)

    def says(self, number: int) -> None:
        members = {one: self.count[one] for one, whose in self.whose.items() if whose == number}
        told = {one: count for one, count in members.items() if count > 1}
        self.said.append(customer(record(number, memberships=told), self._next(number)))

    def _elders(self, one: int) -> set[int]:
        # Who has somebody else is a customer still: profile renames all of them or none.
        return {whose for other, whose in self.whose.items() if other != one}

    def _next(self, number: int) -> int:
        self.version[number] += 1
        return self.version[number]


@dataclass
class Reader:
    """What engagement keeps of what it read, as its tables do."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    memberships: dict[str, Membership] = field(default_factory=dict)

    def reads(self, message: PlainRecord) -> None:
        event = read(message, {})
        assert isinstance(event, CustomerSeen)
        known = self.contacts.get(event.customer_id)
        if known is None or known.version < event.order.number:
            contact = Contact(event.customer_id, event.order.number, event.record, event.redirect_to)
            self.contacts[event.customer_id] = contact
        self.memberships = believed(self.memberships, event.told)

    def who_is(self, number: int) -> Contact | None:
        return self.who_is_id(person(number))

    def who_is_id(self, customer_id: str) -> Contact | None:
        own = self.contacts.get(customer_id)
        return None if own is None else follow(own, self.contacts, self.memberships)


@st.composite
def readings(draw: st.DrawFn) -> tuple[Profile, list[PlainRecord]]:
    """Draw a life of four ids, and an order in which it is read, some of it more than once."""
    profile = Profile()
    for one in PEOPLE:
        profile.says(one)
    for one, to in draw(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)), max_size=12)):
        profile.moves(one, to)
    again = draw(st.lists(st.sampled_from(profile.said), max_size=6))
    return profile, draw(st.permutations([*profile.said, *again]))


@given(readings())
def test_every_order_of_reading_ends_with_whose_each_id_is(drawn: tuple[Profile, list[PlainRecord]]) -> None:
    profile, order = drawn
    reader = Reader()
    for message in order:
        reader.reads(message)
        for one in PEOPLE:
            found = reader.who_is(one)
            if found is not None and found.customer_id != person(one):
                # Never on a redirect's word alone: the record that is written to knows of it.
                assert found.record is not None
                assert found.record.memberships[person(one)] >= reader.memberships[person(one)].number
    for one, whose in profile.whose.items():
        found = reader.who_is(one)
        assert found is not None
        assert (found.customer_id, found.version) == (person(whose), profile.version[whose])
