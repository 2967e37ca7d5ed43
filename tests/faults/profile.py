"""Profile as a subject: orders, traits, consent and visits of customers, some a week late, some in another's lane."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta

from shared.contracts.identities import IdentityKind, identity_id
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, INTERACTIONS
from tests.faults import customers
from tests.faults.apart import apart
from tests.faults.kafka import LANES, read_all
from tests.faults.sent import Record
from tests.faults.stages import PROFILE
from tests.faults.subjects import Shape, Stage
from tests.faults.world import Connection, World

PEOPLE = 160
START = datetime(2026, 1, 20, tzinfo=UTC)
WEEK = timedelta(days=7)
LATE_EVERY = 40
ELSEWHERE_EVERY = 30
HEADERS = (("ce_specversion", b"1.0"), ("ce_type", b"interaction.accepted.v1"))
SECRET = b"a secret of the fault matrix"


class Profile:
    """Every 30th record lies in a lane that is not its customer's, so that two workers write one customer."""

    stage = PROFILE
    stages: Sequence[Stage] = (PROFILE,)

    shape = Shape()

    def running(self) -> AbstractContextManager[Mapping[str, str]]:
        return nullcontext({})

    def record(self, number: int) -> Record:
        value = f"user-{number * 7919 % PEOPLE}"
        who = identity_id(SECRET, IdentityKind.USER_ID, value)
        elsewhere = number % ELSEWHERE_EVERY == 0
        key = identity_id(SECRET, IdentityKind.ANONYMOUS_ID, f"browser-{number}") if elsewhere else who
        at = START + timedelta(seconds=number) - (WEEK if number % LATE_EVERY == 0 else timedelta())
        name, family, payload = _said(number)
        said = json.dumps(payload)
        digest = hashlib.md5(f"m{number}".encode(), usedforsecurity=False).hexdigest()
        message = {
            "message_id": f"m{number}",
            "source": "faults",
            "name": name,
            "family": family,
            "occurred_at": at.isoformat(),
            "received_at": (START + WEEK).isoformat(),
            "identities": [{"id": who, "kind": "user_id", "value": value}],
            "payload": payload,
            "context": {},
            "dedupe_key": f"{int(at.timestamp() * 1000):012x}{digest[:20]}",
            "payload_hash": hashlib.md5(said.encode(), usedforsecurity=False).hexdigest(),
        }
        encoded = json.dumps(message).encode()
        return Record(INTERACTIONS.name, lane_of(key, LANES), key.encode(), encoded, f"m{number}", who, HEADERS)

    def poison(self, number: int) -> Record:
        value = f"no interaction {number}".encode()
        return Record(INTERACTIONS.name, number % LANES, b"x", value, f"x{number}", "", HEADERS, poison=True)

    def idle(self, world: World) -> bool:
        del world
        return True

    def differences(self, world: World, sent: Sequence[Record]) -> list[str]:
        with world.connect("profile") as connection:
            return self._differences(world.kafka, connection, sent)

    def _differences(self, bootstrap: str, connection: Connection, sent: Sequence[Record]) -> list[str]:
        unique = {record.id: record for record in sent if not record.poison}
        timeline = [row[0] for row in connection.execute("SELECT message_id FROM timeline").fetchall()]
        found = apart("timeline", Counter(unique.keys()), Counter(timeline))
        letters = Counter(bytes(row[0]) for row in connection.execute("SELECT value FROM dead_letters").fetchall())
        found += apart("dead letters", Counter(record.value for record in sent if record.poison), letters)
        activities = {
            (one.key, json.loads(one.value or b"{}")["message_id"]) for one in read_all(bootstrap, ACTIVITIES.name)
        }
        found += apart(
            "activities",
            Counter((record.who.encode(), record.id) for record in unique.values()),
            Counter(activities),
        )
        last = {one.key: one.value for one in read_all(bootstrap, CUSTOMERS.name)}
        found += customers.differences([json.loads(record.value) for record in unique.values()], last)
        return found

    def versions(self, connection: Connection, topic: str) -> Mapping[bytes, int]:
        assert topic == CUSTOMERS.name
        return versions_of_customers(connection)


def versions_of_customers(connection: Connection) -> Mapping[bytes, int]:
    rows = connection.execute("SELECT replace(id::text, '-', ''), version FROM identities WHERE root IS NULL")
    return {who.encode(): version for who, version in rows.fetchall()}


def _said(number: int) -> tuple[str, str, dict[str, object]]:
    match number % 10:
        case 0:
            return "Identified", "identify", {"traits": {"plan": None if number % 70 == 0 else f"plan-{number}"}}
        case 1:
            given = number % 20 == 1
            name = "Consent Given" if given else "Consent Withdrawn"
            return name, "consent", {"purpose": "marketing", "channel": "email"}
        case 2 | 3:
            return "Page Viewed", "page", {"url": f"/{number}"}
        case _:
            currency = "EUR" if number % 3 else "USD"
            total = {"amount": f"{number % 97}.{number % 100:02d}", "currency": currency}
            return "Order Completed", "order", {"order_id": f"o{number}", "total": total}
