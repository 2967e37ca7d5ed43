"""Merges as two workers read them from the real Kafka, lanes at their own pace, into the real tables."""

import secrets
from pathlib import Path
from random import Random

import psycopg

from shared.contracts.partitioning import lane_of
from shared.contracts.topics import ACTIVITIES, CUSTOMERS, SEGMENT_CHANGES, SEGMENT_MEMBERSHIPS
from shared.local.stack import StackAddresses
from shared.runtime.handler import DirectMessage, Message
from shared.runtime.records import PlainRecord
from shared.runtime.settings import RuntimeSettings
from shared.runtime.topic_admin import create_topics
from tests.integration.services.segmenter.workers import LANES, eventually, memberships, running, send, wait, written
from tests.property.services.segmenter.merging_world import PEOPLE, SEGMENTS, START, Profile
from tests.property.services.segmenter.test_merging import live

TOWNS = 25
_OPEN = "SELECT (SELECT sum(next_offset) FROM positions), (SELECT count(*) FROM publications)"
_DEAD = "SELECT reason, count(*) FROM dead_letters GROUP BY reason"
_INSIDE = "SELECT segment, replace(customer_id::text, '-', '') FROM memberships WHERE inside"


class Town:
    """People whom nobody else knows, and the history of who they are."""

    def __init__(self, seed: int) -> None:
        order = Random(seed)  # noqa: S311 - a history of a test, not a secret
        self.profile = Profile()
        self.called = {one: secrets.token_hex(16) for one in PEOPLE}
        kinds = ["event"] * 6 + ["merge"] * 5 + ["part"] * 5 + ["link"]
        steps = [("event", who, "Order" if who else "View", who) for who in range(len(PEOPLE))]
        steps += [(order.choice(kinds), order.randrange(5), "Order", order.randrange(5000)) for _ in range(60)]
        words = [(kind, who, what if kind == "event" else order.randint(1, 3), age) for kind, who, what, age in steps]
        live(self.profile, words)

    def messages(self) -> list[DirectMessage]:
        """Return what profile says of them."""
        return [self._message(record) for record in self.profile.said]

    def _message(self, record: PlainRecord) -> DirectMessage:
        customer = self._named(record.key or b"").decode()
        value = None if record.value is None else self._named(record.value)
        message = Message(customer.encode(), value, list(record.headers))
        return DirectMessage(record.topic, lane_of(customer, LANES), message)

    def _named(self, text: bytes) -> bytes:
        for one, name in self.called.items():
            text = text.replace(one.encode(), name.encode())
        return text

    def truth(self) -> set[tuple[str, str]]:
        """Tell who is in which segment."""
        return {(segment, self.called[one]) for segment, one in self.profile.truth(START)}


def test_two_workers_end_where_the_truth_is_through_merges_and_their_undoing(
    stack: StackAddresses, database_url: str, tmp_path: Path
) -> None:
    create_topics(stack.kafka, [ACTIVITIES, CUSTOMERS, SEGMENT_CHANGES, SEGMENT_MEMBERSHIPS], LANES)
    # By now no event is within a window that ends now.
    for number, text in enumerate(segment for segment in SEGMENTS if "within" not in segment):
        (tmp_path / f"{number}.yaml").write_text(text)
    variables = {
        "CRM_KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
        "CRM_DATABASE_URL": database_url,
        "CRM_SEGMENTER_DEFINITIONS_DIR": str(tmp_path),
    }
    settings = RuntimeSettings.model_validate(
        {"kafka_bootstrap_servers": stack.kafka, "database_url": database_url, "lanes": LANES}
    )
    towns = [Town(seed) for seed in range(TOWNS)]
    queues = [town.messages() for town in towns]
    together = [
        message for turn in range(max(map(len, queues))) for queue in queues for message in queue[turn : turn + 1]
    ]
    with running(2, variables, tmp_path):
        wait(send(settings, together))
        total = wait(written(settings))
        with psycopg.connect(database_url, options="-c search_path=segmenter", autocommit=True) as connection:
            eventually(lambda: connection.execute(_OPEN).fetchone() == (total, 0))
            dead = connection.execute(_DEAD).fetchall()
            table = set(connection.execute(_INSIDE).fetchall())
        topic = wait(memberships(settings))
    assert dead == []
    ours = {one for town in towns for one in town.called.values()}
    truth = {pair for town in towns for pair in town.truth() if pair[0] != "lately"}
    assert {pair for pair in table if pair[1] in ours} == truth
    told = {tuple(key.decode().split(":"))[::-1] for key, value in topic.items() if value is not None}
    assert {pair for pair in told if pair[1] in ours} == truth
