"""The whole way as a subject: raw events in, and what each of the five services must make of them, one broken."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from shared.contracts.identities import IdentityKind, identity_id
from shared.contracts.topics import CUSTOMERS, INTERACTIONS, RAW_EVENTS, RAW_EVENTS_DLQ, SEGMENT_MEMBERSHIPS
from tests.faults import customers, stages
from tests.faults.apart import apart
from tests.faults.kafka import LANES, read_all
from tests.faults.mailbox import Mailbox, mailbox
from tests.faults.profile import versions_of_customers
from tests.faults.sent import Record
from tests.faults.subjects import Shape, Stage
from tests.faults.world import Connection, World

SECRET = "a secret of the fault matrix"
CONFIG = Path(__file__).parent / "config"
PEOPLE = 120
START = datetime.now(UTC) - timedelta(hours=2)
UNFINISHED = "SELECT 1 FROM messages WHERE state IN ('planned', 'claimed', 'sending', 'retry_wait') LIMIT 1"


class Pipeline:
    """First everybody signs up and every second one agrees to mail; then come orders and visits."""

    shape = Shape(rate=250)
    stages: Sequence[Stage] = stages.ALL

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.mailbox = Mailbox()

    @contextmanager
    def running(self) -> Iterator[Mapping[str, str]]:
        with mailbox() as (box, url):
            self.mailbox = box
            yield {
                "CRM_IDENTITY_SECRET": SECRET,
                "CRM_ENGAGEMENT_SMTP_URL": url,
                "CRM_ENGAGEMENT_CAMPAIGNS_DIR": str(CONFIG / "campaigns"),
                "CRM_SEGMENTER_DEFINITIONS_DIR": str(CONFIG / "segments"),
            }

    def record(self, number: int) -> Record:
        person = number % PEOPLE
        user = f"user-{person}"
        call = {"messageId": f"m{number}", "userId": user, "timestamp": time_of(number).isoformat(), **_said(number)}
        who = identity_id(SECRET.encode(), IdentityKind.USER_ID, user)
        return Record(
            RAW_EVENTS.name,
            person % LANES,
            user.encode(),
            json.dumps(call).encode(),
            f"m{number}",
            who,
            (("source", b"faults"),),
        )

    def poison(self, number: int) -> Record:
        value = f"no event {number}".encode()
        return Record(RAW_EVENTS.name, number % LANES, b"x", value, f"x{number}", "", (), poison=True)

    def idle(self, world: World) -> bool:
        with world.connect("engagement") as connection:
            return connection.execute(UNFINISHED).fetchone() is None

    def versions(self, connection: Connection, topic: str) -> Mapping[bytes, int]:
        if topic == CUSTOMERS.name:
            return versions_of_customers(connection)
        assert topic == SEGMENT_MEMBERSHIPS.name
        rows = connection.execute(
            "SELECT replace(customer_id::text, '-', '') || ':' || segment, sequence FROM memberships"
        )
        return {key.encode(): sequence for key, sequence in rows.fetchall()}

    def differences(self, world: World, sent: Sequence[Record]) -> list[str]:
        events = {record.id: record for record in sent if not record.poison}
        orders = Counter(record.who for record in events.values() if b"Order Completed" in record.value)
        buyers = {who for who, count in orders.items() if count > 1}
        return [
            *ingested(world, sent),
            *_profiled(world, list(events.values())),
            *_segmented(world, buyers),
            *self._mailed(world, buyers),
            *_counted(world, list(events.values()), orders),
        ]

    def _mailed(self, world: World, buyers: set[str]) -> list[str]:
        """One message each; accepted means one mail, unknown one or none, skipped none, and nothing else is left."""
        with world.connect("engagement") as connection:
            rows = connection.execute("SELECT customer_id, state FROM messages").fetchall()
        found = [] if buyers else ["nobody ordered twice: nothing was proven"]
        found += apart("messages", Counter(buyers), Counter(who for who, _ in rows))
        mails = self.mailbox.accepted()
        people = {identity_id(SECRET.encode(), IdentityKind.USER_ID, f"user-{one}"): one for one in range(PEOPLE)}
        may_be_unknown = self.stage is stages.ENGAGEMENT
        for who, state in rows:
            person = people[who]
            agreed = person % 2 == 0
            got = mails[f"user-{person}@example.com"]
            allowed = {("accepted", 1)} if agreed else {("skipped", 0)}
            if agreed and may_be_unknown:
                allowed |= {("unknown", 0), ("unknown", 1)}
            if (state, got) not in allowed:
                found.append(f"mail to user-{person}: state {state}, {got} mails; expected one of {sorted(allowed)}")
        return found[:10]


def ingested(world: World, sent: Sequence[Record]) -> list[str]:
    """Interactions may repeat, with the same ids; each refused record is in quarantine once and on the dead letters."""
    found = apart(
        "interactions",
        Counter({record.id for record in sent if not record.poison}),
        Counter({json.loads(one.value or b"{}")["message_id"] for one in read_all(world.kafka, INTERACTIONS.name)}),
    )
    poison = Counter(record.value for record in sent if record.poison)
    with world.connect("ingest") as connection:
        kept = Counter(bytes(row[0]) for row in connection.execute("SELECT original FROM quarantine").fetchall())
    found += apart("quarantine", poison, kept)
    letters = {one.value for one in read_all(world.kafka, RAW_EVENTS_DLQ.name)}
    return found + apart("dead letters", Counter(set(poison)), Counter(letters))


def _profiled(world: World, events: Sequence[Record]) -> list[str]:
    with world.connect("profile") as connection:
        timeline = Counter(row[0] for row in connection.execute("SELECT message_id FROM timeline").fetchall())
    found = apart("timeline", Counter(record.id for record in events), timeline)
    last = {one.key: one.value for one in read_all(world.kafka, CUSTOMERS.name)}
    return found + customers.differences([_as_interaction(record) for record in events], last)


def _segmented(world: World, buyers: set[str]) -> list[str]:
    inside = "SELECT replace(customer_id::text, '-', '') FROM memberships WHERE inside"
    changes = "SELECT replace(customer_id::text, '-', '') FROM history"
    found = []
    with world.connect("segmenter") as connection:
        for what, query in (("members", inside), ("changes", changes)):
            rows = connection.execute(query.encode()).fetchall()
            found += apart(what, Counter(buyers), Counter(row[0] for row in rows))
    return found


def _counted(world: World, events: Sequence[Record], orders: "Counter[str]") -> list[str]:
    revenue = sum((Decimal(str(_total(record))) for record in events if b"Order Completed" in record.value), Decimal(0))
    with world.connect("engagement") as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM messages GROUP BY state").fetchall())
    queries = {
        "orders": ("SELECT sum(orders)::bigint FROM order_facts", orders.total()),
        "revenue": ("SELECT sum(revenue) FROM order_facts", revenue),
        "activities": ("SELECT sum(events)::bigint FROM activity_facts", len(events)),
        "customers": ("SELECT count(*) FROM customer_facts", len({record.who for record in events})),
        "entries": ("SELECT sum(changes)::bigint FROM segment_facts", sum(count > 1 for count in orders.values())),
    }
    found = []
    with world.connect("metrics") as connection:
        for what, (query, wanted) in queries.items():
            row = connection.execute(query.encode()).fetchone()
            if row is None or row[0] != wanted:
                found.append(f"KPI {what}: expected {wanted}, found {row and row[0]}")
        facts = dict(connection.execute("SELECT state, count(*) FROM message_facts GROUP BY state").fetchall())
    return found + ([] if facts == states else [f"KPI messages: expected {states}, found {facts}"])


def _said(number: int) -> dict[str, object]:
    person, lap = number % PEOPLE, number // PEOPLE
    if lap == 0:
        return {"type": "identify", "traits": {"email": f"user-{person}@example.com", "plan": f"plan-{number}"}}
    if lap == 1:
        name = "Consent Given" if person % 2 == 0 else "Consent Withdrawn"
        return track(name, {"purpose": "marketing", "channel": "email"})
    if (lap + person) % 3:
        total = number % 97 + number % 4 / 4
        return track("Order Completed", {"order_id": f"o{number}", "total": total, "currency": "EUR"})
    return track("Product Viewed", {"product_id": f"p{number % 7}"})


def track(event: str, properties: dict[str, object]) -> dict[str, object]:
    return {"type": "track", "event": event, "properties": properties}


def time_of(number: int) -> datetime:
    return START + timedelta(milliseconds=100 * number)


def _total(record: Record) -> object:
    return json.loads(record.value)["properties"]["total"]


def _as_interaction(record: Record) -> Mapping[str, object]:
    """Say of a raw event what the oracle of customers needs."""
    call = json.loads(record.value)
    name = call.get("event", "")
    payload = {"traits": call.get("traits", {})}
    if name == "Order Completed":
        payload = {"total": {"amount": str(call["properties"]["total"]), "currency": "EUR"}}
    family = {"identify": "identify"}.get(call["type"], "consent" if name.startswith("Consent") else "")
    return {
        "identities": [{"id": record.who}],
        "occurred_at": call["timestamp"],
        "message_id": call["messageId"],
        "name": name,
        "family": family,
        "payload": payload,
    }
