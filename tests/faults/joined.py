"""The whole way as a subject while devices become people: each orders before anybody knows whose it is."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from shared.contracts.identities import IdentityKind, identity_id
from shared.contracts.topics import CUSTOMERS, INTERACTIONS, RAW_EVENTS
from tests import oracle, oracle_people
from tests.faults import stages
from tests.faults.apart import apart
from tests.faults.kafka import LANES, read_all
from tests.faults.merging import RULES, Merging
from tests.faults.pipeline import PEOPLE, SECRET, Pipeline, ingested, time_of, track
from tests.faults.process_faults import IN_THE_MIDST, kill_at, stop_at
from tests.faults.redirected import on_topic
from tests.faults.rows import Row
from tests.faults.sent import Record
from tests.faults.world import Connection, World

Json = Any
LAPS = 8
MEMBERS = "SELECT replace(customer_id::text, '-', '') FROM memberships WHERE inside"
COUNTED = """
    SELECT (SELECT sum(orders)::bigint FROM order_facts), (SELECT sum(revenue) FROM order_facts),
        (SELECT sum(events)::bigint FROM activity_facts),
        (SELECT count(*) FROM customer_facts WHERE lifecycle IS NOT NULL)
"""


class Joined(Pipeline):
    """A device orders once, signs its person up, and from then on both act, each in a lane of its own."""

    def record(self, number: int) -> Record:
        person, lap = _place(number)
        user, device = f"user-{person}", f"device-{person}"
        who = {"anonymousId": device} if lap == 0 or (lap > 1 and lap % 2 == 0) else {"userId": user}
        who |= {"anonymousId": device} if lap == 1 else {}
        call = {"messageId": f"m{number}", "timestamp": time_of(number).isoformat(), **_said(number), **who}
        kind, name = (IdentityKind.USER_ID, user) if "userId" in who else (IdentityKind.ANONYMOUS_ID, device)
        owner = identity_id(SECRET.encode(), kind, name)
        value = json.dumps(call).encode()
        return Record(
            RAW_EVENTS.name, (person + lap) % LANES, name.encode(), value, f"m{number}", owner, (("source", b"faults"),)
        )

    def versions(self, connection: Connection, topic: str) -> Mapping[bytes, int]:
        return Merging().versions(connection, topic) if topic == CUSTOMERS.name else super().versions(connection, topic)

    def differences(self, world: World, sent: Sequence[Record]) -> list[str]:
        values = [one.value or b"" for one in read_all(world.kafka, INTERACTIONS.name)]
        whose = oracle_people.whose(values, RULES)
        wanted = oracle.fold(values, whose)
        buyers = {name for name, one in wanted.items() if one["orders"] and one["orders"]["count"] > 1}
        with world.connect("segmenter") as connection:
            members = [row[0] for row in connection.execute(MEMBERS).fetchall()]
        return [
            *ingested(world, sent),
            *on_topic(read_all(world.kafka, CUSTOMERS.name), whose, wanted),
            *apart("members", Counter(buyers), Counter(members)),
            *self._written(world, whose, buyers),
            *_counted(world, list(wanted.values()), len(oracle.unique(values))),
        ]

    def _written(self, world: World, whose: Mapping[str, str], buyers: set[str]) -> list[str]:
        """At most one message for each person, to buyers alone, and one mail for each that was accepted."""
        with world.connect("engagement") as connection:
            rows = connection.execute("SELECT replace(customer_id::text, '-', ''), state FROM messages").fetchall()
        people = Counter(whose[who] for who, _ in rows)
        found = [f"{count} messages for {who}" for who, count in people.items() if count > 1]
        found += [f"a message for {who}, who ordered once" for who in people.keys() - buyers]
        mails, states = self.mailbox.accepted(), Counter(state for _, state in rows)
        found += [f"{count} mails to {address}" for address, count in mails.items() if count > 1]
        found += [f"a mail to {address}, who said no" for address in mails if int(address[5:-12]) % 2]
        most = states["accepted"] + (states["unknown"] if self.stage is stages.ENGAGEMENT else 0)
        if not states["accepted"] <= mails.total() <= most or not mails:
            found.append(f"expected {states['accepted']} to {most} mails, and any at all, found {mails.total()}")
        return found[:10]


def rows() -> Iterator[Row]:
    """Kill each service once that follows redirects, and let profile be a zombie once."""
    for stage in (stages.PROFILE, stages.SEGMENTER, stages.ENGAGEMENT, stages.METRICS):
        yield Row(Joined(stage), "merging, all five, kill before_commit", kill_at("before_commit", IN_THE_MIDST))
    yield Row(Joined(stages.PROFILE), "merging, all five, stop after_fence", stop_at("after_fence", IN_THE_MIDST))


def _place(number: int) -> tuple[int, int]:
    """Tell who acts and for which time: after some laps, others come."""
    return number // (PEOPLE * LAPS) * PEOPLE + number % PEOPLE, number // PEOPLE % LAPS


def _said(number: int) -> Mapping[str, object]:
    person, lap = _place(number)
    if lap == 1:
        return {"type": "identify", "traits": {"email": f"user-{person}@example.com", "plan": f"plan-{number}"}}
    if lap == 3:  # the first time that a person acts once signed up
        name = "Consent Given" if person % 2 == 0 else "Consent Withdrawn"
        return track(name, {"purpose": "marketing", "channel": "email"})
    if lap == 0 or (lap + person) % 3:
        total = number % 97 + number % 4 / 4
        return track("Order Completed", {"order_id": f"o{number}", "total": total, "currency": "EUR"})
    return track("Product Viewed", {"product_id": f"p{number % 7}"})


def _counted(world: World, wanted: Sequence[Json], activities: int) -> list[str]:
    orders = [one["orders"] for one in wanted if one["orders"]]
    revenue = sum((Decimal(money["amount"]) for one in orders for money in one["revenue"]), Decimal(0))
    expected = (sum(one["count"] for one in orders), revenue, activities, len(wanted))
    with world.connect("engagement") as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM messages GROUP BY state").fetchall())
    with world.connect("metrics") as connection:
        facts = dict(connection.execute("SELECT state, count(*) FROM message_facts GROUP BY state").fetchall())
        found = connection.execute(COUNTED).fetchone()
    told = [] if found == expected else [f"orders, revenue, activities, customers: expected {expected}, found {found}"]
    return told + ([] if facts == states else [f"KPI messages: expected {states}, found {facts}"])
