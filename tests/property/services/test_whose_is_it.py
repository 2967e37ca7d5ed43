"""What profile publishes of merges and their undoing, read by who follows: in any order, all of it or only what is left
after compaction, each identity ends with the customer that profile's rows have.
"""

import random
from collections.abc import Iterable, Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.metrics.decoding import read
from services.metrics.domain.events import ActivitySeen
from services.metrics.domain.facts import facts_of
from services.profile.domain.decisions import Decision
from services.profile.domain.identity_rules import IdentityRules
from shared.contracts.interactions import Interaction
from shared.contracts.topics import ACTIVITIES, CUSTOMERS
from shared.runtime.handler import Publication
from shared.runtime.records import PlainRecord, Poison
from tests.property.services.engagement.test_following import Reader
from tests.property.services.profile import histories
from tests.property.services.profile.crowds import crowds
from tests.property.services.profile.deeds import deed
from tests.property.services.profile.test_decisions import Life
from tests.unit.services.profile.topic_reader import CustomersRead


class Recording(CustomersRead):
    """The topics as whoever starts from nothing reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[PlainRecord] = []

    def take(self, published: Iterable[Publication]) -> None:
        published = list(published)
        super().take(published)
        for one in published:
            message, place = one.message, len(self.said)
            headers = [*message.headers, ("ce_incarnation", b"1")]
            self.said.append(
                PlainRecord(
                    topic=one.topic,
                    partition=one.lane,
                    offset=place,
                    key=message.key,
                    value=message.value,
                    headers=headers,
                )
            )

    def compacted(self) -> list[PlainRecord]:
        """Return what is left of the state topic, and the whole log."""
        last = {record.key: record for record in self.said if record.topic == CUSTOMERS.name}
        return [*last.values(), *(record for record in self.said if record.topic == ACTIVITIES.name)]


def life(said: Sequence[Interaction], rules: IdentityRules, chance: random.Random) -> tuple[Life, Recording]:
    """Let two workers take events in, and people decide between."""
    found, topic = Life(rules, 3, 2000), Recording()
    found.topic = topic
    decided: list[Decision] = []
    rest = list(said)
    while rest:
        size = chance.choice([1, 2, 5, 20])
        batch, rest = rest[:size], rest[size:]
        found.say(chance.choice(found.workers), batch)
        known = found.known()
        if len(known) > 3:
            some = [deed(chance, known, decided) for _ in range(chance.choice([0, 1, 2]))]
            decided += some
            found.decide(chance.choice(found.workers), some)
    found.settle()
    return found, topic


@given(said=crowds, rules=histories.rules, chance=st.randoms(use_true_random=False), compacted=st.booleans())
def test_every_follower_ends_with_the_customers_of_profiles_rows(
    said: list[Interaction], rules: IdentityRules, chance: random.Random, *, compacted: bool
) -> None:
    lived, topic = life(said, rules, chance)
    roots = {key.hex(): row.stored().root or key.hex() for key, row in lived.store.rows.items()}
    messages = topic.compacted() if compacted else [*topic.said, *topic.said[::3]]
    chance.shuffle(messages)

    events = [read(message) for message in messages]
    assert not any(isinstance(event, Poison) for event in events), events
    memberships = facts_of(event for event in events if not isinstance(event, Poison)).memberships
    acted = {event.identity for event in events if isinstance(event, ActivitySeen)}
    counted = {identity.hex(): memberships.get(identity, (0, identity))[1].hex() for identity in acted}
    assert counted == {identity: roots[identity] for identity in counted}

    reader = Reader()
    for message in messages:
        if message.topic == CUSTOMERS.name:
            reader.reads(message)
    records = {key for key, one in reader.contacts.items() if one.record is not None}
    for name, own in reader.contacts.items():
        found = reader.who_is_id(name)
        gone = own.record is None and own.redirect_to is None
        assert found is not None, (name, own.version, reader.memberships.get(name))
        assert found.customer_id == roots[name] or gone
        assert found.customer_id in records or gone
    assert msgspec.json.encode(sorted(records)) == msgspec.json.encode(sorted(topic.records()))
