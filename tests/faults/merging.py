"""Profile as a subject whose customers merge: people on many devices, with tablets and addresses that they share."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import yaml

from services.profile.domain.clusters import load_standing, load_summary
from shared.contracts.identities import IdentityKind, identity_id
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, INTERACTIONS
from tests import oracle, oracle_people
from tests.faults import input_faults, member_faults, process_faults
from tests.faults.apart import apart
from tests.faults.kafka import LANES, OnTopic, read_all
from tests.faults.redirected import on_topic
from tests.faults.rows import Row
from tests.faults.sent import Record
from tests.faults.stages import PROFILE
from tests.faults.subjects import Shape, Stage, Subject
from tests.faults.world import Connection, World

RULES = yaml.safe_load((Path(__file__).parents[2] / "config" / "identity.yaml").read_text("utf-8"))
PEOPLE = 90
START = datetime(2026, 1, 20, tzinfo=UTC)
WEEK = timedelta(days=7)
LATE_EVERY = 40
ELSEWHERE_EVERY = 30
HEADERS = (("ce_specversion", b"1.0"), ("ce_type", b"interaction.accepted.v1"))
SECRET = b"a secret of the fault matrix"
RANK = {IdentityKind.USER_ID: 0, IdentityKind.EMAIL: 1}
"""The strongest identity of an event comes first: kinds not named here follow by name."""
_IDENTITIES = """
    SELECT replace(i.id::text, '-', ''), replace(coalesce(i.root, i.id)::text, '-', ''), coalesce(c.version, i.version),
        i.doc IS NOT NULL AND i.root IS NULL, i.standing, c.summary
    FROM identities i LEFT JOIN customers c ON c.root = i.id
"""

Json = Any


class Merging:
    """A person has a user id, an address and three devices; eight share a tablet, ten an address.

    Every 40th event is a week late, so that a link comes before others that hold already; every 30th lies in a lane
    that is not its customer's, so that two workers merge one customer.
    """

    stage = PROFILE
    stages: Sequence[Stage] = (PROFILE,)

    shape = Shape(rate=400)

    def running(self) -> AbstractContextManager[Mapping[str, str]]:
        return nullcontext({})

    def record(self, number: int) -> Record:
        chance = Random(number)  # noqa: S311 - the same feed each time
        identities = sorted(_named(chance), key=_strength)
        who = identities[0]["id"]
        at = START + timedelta(seconds=number) - (WEEK if number % LATE_EVERY == 0 else timedelta())
        name, family, payload = _said(chance, number)
        digest = hashlib.md5(f"m{number}".encode(), usedforsecurity=False).hexdigest()
        message = {
            "message_id": f"m{number}",
            "source": "faults",
            "name": name,
            "family": family,
            "occurred_at": at.isoformat(),
            "received_at": (START + WEEK).isoformat(),
            "identities": identities,
            "payload": payload,
            "context": {},
            "dedupe_key": f"{int(at.timestamp() * 1000):012x}{digest[:20]}",
            "payload_hash": hashlib.md5(json.dumps(payload).encode(), usedforsecurity=False).hexdigest(),
        }
        key = f"elsewhere {number}" if number % ELSEWHERE_EVERY == 0 else who
        encoded = json.dumps(message).encode()
        return Record(INTERACTIONS.name, lane_of(key, LANES), key.encode(), encoded, f"m{number}", who, HEADERS)

    def poison(self, number: int) -> Record:
        value = f"no interaction {number}".encode()
        return Record(INTERACTIONS.name, number % LANES, b"x", value, f"x{number}", "", HEADERS, poison=True)

    def idle(self, world: World) -> bool:
        del world
        return True

    def differences(self, world: World, sent: Sequence[Record]) -> list[str]:
        unique = {record.id: record for record in sent if not record.poison}
        values = [record.value for record in unique.values()]
        whose = oracle_people.whose(values, RULES)
        activities = {_whose_activity(one) for one in read_all(world.kafka, ACTIVITIES.name)}
        found = apart("activities", Counter((record.who, one) for one, record in unique.items()), Counter(activities))
        with world.connect("profile") as connection:
            timeline = Counter(row[0] for row in connection.execute("SELECT message_id FROM timeline").fetchall())
            letters = Counter(bytes(row[0]) for row in connection.execute("SELECT value FROM dead_letters").fetchall())
            rows = connection.execute(_IDENTITIES).fetchall()
        found += apart("timeline", Counter(unique.keys()), timeline)
        found += apart("dead letters", Counter(record.value for record in sent if record.poison), letters)
        found += apart("whose (table)", Counter(whose.items()), Counter((row[0], row[1]) for row in rows))
        return found + on_topic(read_all(world.kafka, CUSTOMERS.name), whose, oracle.fold(values, whose))

    def versions(self, connection: Connection, topic: str) -> Mapping[bytes, int]:
        assert topic == CUSTOMERS.name
        return {
            name.encode(): version
            for name, _, version, alone, standing, summary in connection.execute(_IDENTITIES).fetchall()
            if (alone and summary is None)
            or (summary is not None and load_summary(bytes(summary)).active)
            or (standing is not None and load_standing(bytes(standing)).told)
        }


def rows() -> Iterator[Row]:
    """Give a kill and a stop at each point, members that come and go, two workers on repeats and shuffled events."""
    subject: Subject = Merging()
    read = [row for row in input_faults.rows(subject) if row.play is not input_faults.poison]
    for row in chain(process_faults.rows(subject), member_faults.rows(subject), read):
        yield Row(subject, f"merging, {row.fault}", row.play)


def _named(chance: Random) -> list[Json]:
    person = chance.randrange(PEOPLE)
    user, address = ("user_id", f"user-{person}"), ("email", f"{person}@example.com")
    device = ("anonymous_id", f"device-{person}-{chance.randrange(3)}")
    tablet, family = ("ios.id", f"tablet-{person // 8}"), ("email", f"home-{person // 10}@example.com")
    drawn = chance.choices(
        [
            [device],
            [user, device],
            [user],
            [user, address],
            [address],
            [user, tablet],
            [tablet],
            [user, family],
            [family],
        ],
        [30, 25, 15, 8, 6, 5, 5, 3, 3],
    )[0]
    return [
        {"id": identity_id(SECRET, IdentityKind(kind), value), "kind": kind, "value": value} for kind, value in drawn
    ]


def _strength(one: Json) -> tuple[int, str, str]:
    return RANK.get(one["kind"], 2), one["kind"], one["id"]


def _said(chance: Random, number: int) -> tuple[str, str, dict[str, object]]:
    given = chance.choice(["Consent Given", "Consent Withdrawn"])
    total = {"amount": f"{number % 97}.{number % 100:02d}", "currency": chance.choice(["EUR", "USD"])}
    said: list[tuple[str, str, dict[str, object]]] = [
        ("Identify", "identify", {"traits": {"plan": None if number % 70 == 0 else f"plan-{number}"}}),
        (given, "consent", {"purpose": "marketing", "channel": "email"}),
        ("Page Viewed", "view", {"url": f"/{number}"}),
        ("Order Completed", "order", {"order_id": f"o{number}", "total": total}),
    ]
    return chance.choice(said)


def _whose_activity(one: OnTopic) -> tuple[str, str]:
    said = json.loads(one.value or b"{}")
    return said["identity_id"], said["message_id"]
