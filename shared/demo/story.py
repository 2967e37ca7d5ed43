"""What the demo sends: an introduction of each customer, then every order, moved to end half a day before now."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import msgspec

from shared.demo.cdnow import LAST_DAY, Order

SOURCE = "cdnow"
REPEAT_EVERY = 100
HALF_A_DAY = timedelta(hours=12)
INTRODUCED_BEFORE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One call as an SDK would make it: whose it is, its message id, and the JSON."""

    user_id: str
    message_id: str
    value: bytes


class Story:
    """All events of one run: `run_id` makes message ids new each time, `start` fixes where the dates are moved to."""

    def __init__(self, run_id: str, start: datetime) -> None:
        self._run_id = run_id
        # SDKs write whole milliseconds: whoever sends an event, it must say the same.
        self._last = start.astimezone(UTC).replace(microsecond=0) - HALF_A_DAY

    def at(self, order: Order) -> datetime:
        """Move an order's day: the last day is half a day before the start, all others whole days before that."""
        return self._last - (datetime.combine(LAST_DAY, time()) - datetime.combine(order.day, time()))

    def introductions(self, orders: Sequence[Order]) -> Iterator[RawEvent]:
        """Introduce each customer once, an hour before their first order; even numbers agree to marketing mail."""
        first: dict[str, Order] = {}
        for order in orders:
            known = first.get(order.customer)
            if known is None or order.day < known.day:
                first[order.customer] = order
        for customer, order in sorted(first.items()):
            yield self._identify(customer, self.at(order) - INTRODUCED_BEFORE)
            if int(customer) % 2 == 0:
                yield self._consent(customer, self.at(order) - INTRODUCED_BEFORE)

    def orders(self, orders: Iterable[Order]) -> Iterator[RawEvent]:
        """Tell every order in the file's order; each hundredth is told twice, as after a lost answer."""
        for order in orders:
            event = self._order(order)
            yield event
            if order.row % REPEAT_EVERY == 0:
                yield event

    def view(self, number: int, customer: str, at: datetime) -> RawEvent:
        """Let a customer look at a product, live."""
        return self._event(
            user_id(customer),
            f"view-{number}",
            at,
            {"type": "track", "event": "Product Viewed", "properties": {"product_id": f"p-{number}"}},
        )

    def life(self, customer: str) -> Iterator[RawEvent]:
        """Tell what one customer did beside ordering, in the last hours: looked around unknown, signed in, asked."""
        visitor, at = f"visitor-{customer}", self._last + HALF_A_DAY - timedelta(hours=3)

        def said(number: str, minutes: int, **what: object) -> RawEvent:
            known = {} if minutes == 0 else {"userId": user_id(customer)}
            when = at + timedelta(minutes=minutes)
            return self._body(f"life-{number}-{customer}", when, known | {"anonymousId": visitor} | what)

        asked = {"ticket_id": "t-1", "subject": "Where is my record?"}
        yield said("look", 0, type="page", name="Records")
        yield said("in", 5, type="track", event="Signed In")
        yield said("ask", 9, type="track", event="Ticket Opened", properties=asked)
        answer = {"metric": "nps", "score": 9, "scale": 10}
        yield said("answer", 30, type="track", event="Survey Answered", properties=answer)

    def _identify(self, customer: str, at: datetime) -> RawEvent:
        traits = {"email": f"customer-{customer}@example.com", "firstName": f"Customer {int(customer)}"}
        return self._event(user_id(customer), f"identify-{customer}", at, {"type": "identify", "traits": traits})

    def _consent(self, customer: str, at: datetime) -> RawEvent:
        properties = {"purpose": "marketing", "channel": "email", "basis": "consent", "text_version": "demo-1"}
        said = {"type": "track", "event": "Consent Given", "properties": properties}
        return self._event(user_id(customer), f"consent-{customer}", at, said)

    def _order(self, order: Order) -> RawEvent:
        # The amount as it stands in the file: no float ever touches money.
        properties = {"order_id": f"cdnow-{order.row}", "total": msgspec.Raw(order.total.encode()), "currency": "USD"}
        said = {"type": "track", "event": "Order Completed", "properties": properties}
        return self._event(user_id(order.customer), str(order.row), self.at(order), said)

    def _event(self, user: str, number: str, at: datetime, said: Mapping[str, object]) -> RawEvent:
        return self._body(number, at, {"userId": user, **said})

    def _body(self, number: str, at: datetime, said: Mapping[str, object]) -> RawEvent:
        message_id = f"{self._run_id}-{number}"
        body = {"messageId": message_id, "timestamp": at.isoformat(), **said}
        return RawEvent(str(said.get("userId", "")), message_id, msgspec.json.encode(body))


def user_id(customer: str) -> str:
    """Name a CDNOW customer as the shop would."""
    return f"cdnow-{customer}"
