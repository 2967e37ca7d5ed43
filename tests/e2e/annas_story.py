"""Anna on phone, web and in the shop becomes one customer; Bert is another, until somebody takes them for one."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.demo.settling import settling
from tests.e2e.rapport import Rapport

ANNA, BERT = "user_id:anna", "user_id:bert"
ADDRESS, NUMBER = "anna@example.com", "+43 1 9999999"
PHONE, BROWSER, TABLET = "phone-of-anna", "browser-of-anna", "tablet-of-bert"


async def tell(rapport: Rapport) -> None:
    """Send everything that both did, and wait until all of it has gone all the way."""
    async with rapport.sending() as send:
        for number, call in enumerate(_calls(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2))):
            # Each under a key of its own, so that one person's calls come in on several lanes.
            await send(f"key-{number}", call)
    await quiet(rapport)


async def quiet(rapport: Rapport) -> None:
    """Wait until everything that was sent or decided has gone all the way."""
    async with settling(rapport.settings) as settled:
        await settled.until_quiet(lambda _service, _standing: None)


def _calls(start: datetime) -> list[Mapping[str, Any]]:
    anna, bert = {"userId": "anna"}, {"userId": "bert"}
    phone, browser = {"anonymousId": PHONE}, {"anonymousId": BROWSER}
    at_the_till = {"anonymousId": "till-1", "context": {"traits": {"email": ADDRESS, "phone": NUMBER}}}
    consent = {"purpose": "marketing", "channel": "email"}
    said: list[tuple[Mapping[str, Any], str, Mapping[str, Any]]] = [
        (bert | {"anonymousId": TABLET}, "identify", {"email": "bert@example.com", "firstName": "Bert"}),
        (bert, "Order Completed", {"order_id": "o-1", "total": 12.5, "currency": "EUR"}),
        (phone, "Product Viewed", {"product_id": "p-1"}),
        (browser, "identify", {"email": ADDRESS, "city": "Wien"}),
        (browser, "Order Completed", {"order_id": "o-2", "total": 20, "currency": "EUR"}),
        (at_the_till, "Product Viewed", {"product_id": "p-2"}),
        (anna | phone, "identify", {"email": ADDRESS, "firstName": "Anna", "city": "Graz"}),
        (anna, "Consent Given", consent),
        (phone, "Order Completed", {"order_id": "o-3", "total": 30, "currency": "EUR"}),
        (bert, "Consent Given", consent),
    ]
    return [
        _call(f"m-{number}", start + timedelta(minutes=number), who, name, what)
        for number, (who, name, what) in enumerate(said)
    ]


def _call(
    message_id: str, at: datetime, who: Mapping[str, Any], name: str, what: Mapping[str, Any]
) -> Mapping[str, Any]:
    head = {"messageId": message_id, "timestamp": at.isoformat(), **who}
    if name == "identify":
        return {"type": "identify", "traits": what, **head}
    return {"type": "track", "event": name, "properties": what, **head}
