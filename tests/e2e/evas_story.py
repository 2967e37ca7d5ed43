"""Eva signs up, agrees to mail and orders twice: sent once, then everything that every service made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.contracts.codec import decode
from shared.contracts.envelope import header
from shared.contracts.identities import identity_id
from shared.contracts.interactions import Activity
from shared.contracts.segments import SegmentChange
from shared.contracts.topics import ACTIVITIES, REGISTRY, SEGMENT_CHANGES, Topic
from shared.runtime.records import Record
from tests.e2e.rapport import Rapport, until

# Whatever names somebody holds this word, so that one search finds any of it where it must not be.
CANARY = "canar"
USER, COOKIE = "canary-u-17", "canary-an-7"
ADDRESS, FIRST_NAME = "eva.canary@example.com", "Canaria"

WINDOW = timedelta(days=30)
STILL_IN = timedelta(seconds=25)
"""The first order is so recent that it leaves the window this long after the start."""

MAIL = "SELECT 1 FROM engagement.messages WHERE customer_id = %s AND state = 'accepted'"
EXIT = "SELECT 1 FROM segmenter.history WHERE customer_id = %s AND sequence = 2"
COUNTED = """
    SELECT 1 FROM metrics.kpi_segment_flow, metrics.kpi_mails_by_state
    WHERE segment = 'repeat-buyer' AND change = 'exited' AND campaign = 'thanks' AND state = 'accepted'
"""
WAITING = """
    SELECT count(*) FROM (
        SELECT FROM profile.publications UNION ALL SELECT FROM segmenter.publications
        UNION ALL SELECT FROM engagement.publications
    ) AS waiting
"""


@dataclass(frozen=True, slots=True)
class Told:
    """Who it is about, what was sent, and every record of every topic of ours afterwards."""

    customer: str
    first_order_at: datetime
    bad: Mapping[str, Any]
    records: Mapping[str, list[Record]]

    def of(self, topic: Topic) -> list[Record]:
        """Return Eva's records of a topic, in the topic's order."""
        return [one for one in self.records[topic.name] if header(one.headers, "ce_subject") == self.customer]

    @property
    def activities(self) -> list[Activity]:
        """Return Eva's activities."""
        return [decode(Activity, record.value or b"") for record in self.of(ACTIVITIES)]

    @property
    def changes(self) -> list[SegmentChange]:
        """Return the changes of Eva's segments."""
        return [decode(SegmentChange, record.value or b"") for record in self.of(SEGMENT_CHANGES)]


async def tell(rapport: Rapport) -> Told:
    """Send the story and wait until all of it, the exit by the clock included, has gone all the way."""
    secret = rapport.platform.variables()["CRM_IDENTITY_SECRET"].encode()
    customer = identity_id(secret, "user_id", USER)
    start = datetime.now(UTC)
    first, second = start - WINDOW + STILL_IN, start - timedelta(seconds=1)
    signed_up = first - timedelta(minutes=1)
    bad = _track("bad-total", second, "Order Completed", {"total": f"a lot, says {ADDRESS}", "currency": "EUR"})
    traits = {"email": ADDRESS, "firstName": FIRST_NAME}
    # As an SDK sends it: its clock's times, and after a lost answer the same again, sent later.
    order = _order("order-2", second, "o-900", b"35.50")
    order |= {"originalTimestamp": order.pop("timestamp"), "sentAt": start.isoformat()}
    calls: list[Mapping[str, Any]] = [
        {"type": "identify", "messageId": "identify-1", "traits": traits, **_who(signed_up)},
        _track("consent-1", signed_up, "Consent Given", {"purpose": "marketing", "channel": "email"}),
        _order("order-1", first, "o-850", b"59.50"),
        bad,
        order,
        order | {"sentAt": (start + timedelta(seconds=6)).isoformat()},
    ]
    async with rapport.sending() as send:
        for call in calls:
            await send("any", call)
    await until("Eva's mail", lambda: rapport.rows(MAIL, customer))
    await until("her exit by the clock", lambda: rapport.rows(EXIT, customer))
    await until("the KPIs of all of it", lambda: rapport.rows(COUNTED))
    await until("nothing left to publish", lambda: rapport.rows(WAITING) == [(0,)])
    records = {topic.name: await rapport.records(topic) for topic in REGISTRY}
    return Told(customer, first, bad, records)


def _who(at: datetime) -> dict[str, str]:
    return {"userId": USER, "anonymousId": COOKIE, "timestamp": at.isoformat()}


def _track(message_id: str, at: datetime, event: str, properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "track", "event": event, "messageId": message_id, "properties": properties, **_who(at)}


def _order(message_id: str, at: datetime, order_id: str, total: bytes) -> dict[str, Any]:
    properties = {"order_id": order_id, "total": msgspec.Raw(total), "currency": "EUR"}
    return {**_track(message_id, at, "Order Completed", properties)}
