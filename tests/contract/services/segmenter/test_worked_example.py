"""The worked example: a second order within 30 days lets Eva in, the clock takes her out when the older one leaves."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.segmenter.adapters.postgres_customers import PostgresCustomers
from services.segmenter.batching import Loaded
from services.segmenter.changes_counted import ChangesCounted
from services.segmenter.domain.catalogue import Catalogue, Registered
from services.segmenter.domain.definitions import read
from services.segmenter.handlers import Rows, SegmenterHandler
from services.segmenter.ports import Stored
from shared.contracts.codec import encode
from shared.contracts.topics import ACTIVITIES, SEGMENT_CHANGES, SEGMENT_MEMBERSHIPS
from shared.runtime.handler import Decision, SetDue
from shared.runtime.metrics import Metrics
from shared.runtime.records import DueInstant, PlainRecord, Poison, Received

GOLDEN = Path(__file__).parents[3] / "golden"
EVA = "5f2a6d1c9b0e47d38a51c6e2f4b79d03"
OLDER = datetime(2026, 11, 14, 18, 2, tzinfo=UTC)
NEWER = datetime(2026, 11, 22, 9, 30, 1, 370_000, tzinfo=UTC)
RULE = b"""
segment: repeat-buyer
rule: {count: Order Completed, within: 30 days, operator: ">=", value: 2}
"""


def order(at: datetime, message: int, version: int) -> PlainRecord:
    value = {
        "message_id": f"01a20297-52a2-7abc-8def-{message:012}",
        "source": "web-shop",
        "name": "Order Completed",
        "family": "order",
        "occurred_at": at,
        "received_at": at + timedelta(milliseconds=50),
        "customer_id": EVA,
        "identity_id": EVA,
        "customer_version": version,
        "payload": {"order_id": "o-900"},
        "context": {},
    }
    accepted = b"2026-11-22T09:30:01.420000Z"
    headers = [("ce_type", b"activity.recorded.v1"), ("crm_accepted_at", accepted)]
    return PlainRecord(
        topic=ACTIVITIES.name, partition=3, offset=version, key=EVA.encode(), value=encode(value), headers=headers
    )


class Eva:
    """The handler with one customer, without a table: what `save` would write is what `load` gives next."""

    def __init__(self) -> None:
        catalogue = Catalogue(3, [Registered(read("repeat-buyer.yaml", RULE), version=3, revision=3)], {})
        self.handler = SegmenterHandler(catalogue, PostgresCustomers(), ChangesCounted(Metrics("segmenter")), 24)
        self.stored: dict[str, Stored] = {}

    def take(self, decision: Decision[Rows]) -> Decision[Rows]:
        for row in decision.rows.customers:
            self.stored[row.customer_id] = Stored(row.loaded + 1, row.revision, row.customer)
        return decision

    def read(self, record: PlainRecord, now: datetime) -> Decision[Rows]:
        (said,) = self.handler.decode(record)
        assert not isinstance(said, Poison)
        return self.take(self.handler.decide([Received(record, 0, said)], (), Loaded(self.stored, {}), now))

    def wake(self, at: datetime, now: datetime) -> Decision[Rows]:
        return self.take(self.handler.decide((), [DueInstant(3, EVA, at)], Loaded(self.stored, {}), now))


def rendered(decision: Decision[Rows], topic: str) -> list[dict[str, Any]]:
    return [
        {
            "key": one.message.key.decode(),
            "headers": [[name, value.decode()] for name, value in one.message.headers],
            "value": None if one.message.value is None else one.message.value.decode(),
        }
        for one in decision.publications
        if one.topic == topic
    ]


def test_the_worked_example_publishes_what_is_written_down() -> None:
    eva = Eva()
    first = eva.read(order(OLDER, 0, 6), OLDER + timedelta(seconds=1))
    assert first.publications == []
    entered = eva.read(order(NEWER, 1, 7), NEWER + timedelta(milliseconds=142))
    leaves_at = OLDER + timedelta(days=30)
    assert entered.due == [SetDue(3, EVA, leaves_at)]
    assert leaves_at == datetime(2026, 12, 14, 18, 2, tzinfo=UTC)
    exited = eva.wake(leaves_at, leaves_at + timedelta(milliseconds=80))
    for topic in (SEGMENT_CHANGES, SEGMENT_MEMBERSHIPS):
        found = {"entered": rendered(entered, topic.name), "exited": rendered(exited, topic.name)}
        golden = json.loads((GOLDEN / f"{topic.name}.json").read_text("utf-8"))
        assert found == {change: golden[change] for change in found}, topic.name
    assert {one.lane for one in (*entered.publications, *exited.publications)} == {3}
