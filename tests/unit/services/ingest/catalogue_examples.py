"""One full event of each family as its senders write it, and what is passed on of it; members beside the named stay."""

from typing import Any, NamedTuple

from shared.contracts.catalogue import Family


class Example(NamedTuple):
    """An event's name, what was sent, and the payload that must come of it."""

    family: Family
    name: str
    sent: dict[str, Any]
    said: dict[str, Any]


def _money(amount: str, currency: str = "EUR") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


EXAMPLES = (
    Example(
        Family.VIEW,
        "Page Viewed",
        {
            "name": "Home",
            "url": "https://shop.example/",
            "path": "/",
            "title": "Shop",
            "referrer": "",
            "keywords": ["a"],
        },
        {"name": "Home", "url": "https://shop.example/", "path": "/", "title": "Shop", "keywords": ["a"]},
    ),
    Example(
        Family.BROWSE,
        "Product Added",
        {
            "cart_id": "c-1",
            "product_id": 507,
            "sku": "G-32",
            "name": "Mug",
            "category": "Kitchen",
            "brand": None,
            "price": 18.99,
            "currency": "eur",
            "quantity": "2",
            "position": 3.0,
            "colour": "red",
        },
        {
            "product_id": "507",
            "sku": "G-32",
            "name": "Mug",
            "category": "Kitchen",
            "price": _money("18.99"),
            "quantity": 2,
            "position": 3,
            "cart_id": "c-1",
            "colour": "red",
        },
    ),
    Example(
        Family.BROWSE,
        "Checkout Started",
        {
            "order_id": "o-1",
            "value": 30,
            "revenue": "25.00",
            "products": [{"product_id": "p-1", "price": 15, "name": "Mug"}],
        },
        {
            "order_id": "o-1",
            "value": _money("30", "USD"),
            "revenue": _money("25.00", "USD"),
            "products": [{"product_id": "p-1", "price": "15", "name": "Mug"}],
        },
    ),
    Example(
        Family.ORDER,
        "Order Completed",
        {
            "orderId": "o-1",
            "revenue": 25.00,
            "value": 22,
            "currency": "EUR",
            "coupon": "SPRING",
            "products": [{"productId": "p-1", "quantity": 2, "name": "Mug"}, {"product_id": "p-2"}],
        },
        {
            "order_id": "o-1",
            "total": _money("25.0"),
            "lines": [{"product_id": "p-1", "quantity": "2", "name": "Mug"}, {"product_id": "p-2"}],
            "coupon": "SPRING",
            "value": 22,
        },
    ),
    Example(
        Family.EMAIL,
        "Email Link Clicked",
        {
            "email": "eva@example.com",
            "email_id": 9,
            "campaign_name": "Spring",
            "link_url": "https://shop.example/",
            "ip": "x",
        },
        {
            "email": "eva@example.com",
            "email_id": "9",
            "campaign_name": "Spring",
            "link_url": "https://shop.example/",
            "ip": "x",
        },
    ),
    Example(
        Family.ACCOUNT,
        "Trial Started",
        {
            "account_name": "Mugs",
            "trialStartDate": "2026-11-22",
            "trial_end_date": "2026-12-22T00:00:00+01:00",
            "seats": 5,
        },
        {
            "account_name": "Mugs",
            "trial_start_date": "2026-11-22",
            "trial_end_date": "2026-12-22T00:00:00+01:00",
            "seats": 5,
        },
    ),
    Example(
        Family.TICKET,
        "Ticket Resolved",
        {"ticket_id": 4711, "subject": "Broken mug", "priority": 1, "first_contact": True, "tags": ["a"]},
        {"ticket_id": "4711", "subject": "Broken mug", "priority": "1", "first_contact": True, "tags": ["a"]},
    ),
    Example(
        Family.SURVEY,
        "Survey Answered",
        {"metric": "NPS", "score": 9, "comment": "Fine", "wave": 2},
        {"metric": "nps", "score": 9, "scale": 10, "comment": "Fine", "wave": 2},
    ),
    Example(
        Family.CONVERSATION,
        "Call Logged",
        {"direction": "Inbound", "duration_seconds": 61.5, "outcome": "sold", "sentiment": -0.25, "recording": "r-1"},
        {"direction": "inbound", "duration": 61.5, "outcome": "sold", "sentiment": -0.25, "recording": "r-1"},
    ),
    Example(
        Family.LEAD,
        "Lead Created",
        {
            "lead_id": "l-1",
            "email": "Eva@Example.com",
            "phone": 43158858123,
            "score": 0.75,
            "value": 900,
            "region": "AT",
        },
        {
            "lead_id": "l-1",
            "email": "Eva@Example.com",
            "phone": "43158858123",
            "score": 0.75,
            "value": _money("900", "USD"),
            "region": "AT",
        },
    ),
    Example(
        Family.DEAL,
        "Deal Stage Changed",
        {
            "deal_id": "d-1",
            "stage": "Offer",
            "amount": "12000.00",
            "currency": "EUR",
            "probability": 60,
            "expected_close": "",
        },
        {"deal_id": "d-1", "stage": "Offer", "amount": _money("12000.00"), "probability": 60},
    ),
    Example(
        Family.SPEND,
        "Marketing Spend Recorded",
        {
            "cost": 250.50,
            "currency": "EUR",
            "channel": "search",
            "period_start": "2026-11-01",
            "clicks": 700,
            "agency": "x",
        },
        {"amount": _money("250.5"), "channel": "search", "period_start": "2026-11-01", "clicks": 700, "agency": "x"},
    ),
    Example(
        Family.CONSENT,
        "Consent Given",
        {"purpose": "marketing", "channel": "sms", "basis": "consent", "text_version": 3, "form": "footer"},
        {"purpose": "marketing", "channel": "sms", "basis": "consent", "text_version": "3", "form": "footer"},
    ),
    Example(
        Family.COMPLAINT,
        "Complaint Closed",
        {"complaint_id": "k-1", "severity": "high", "resolution": "refund", "sla": {"met": True}},
        {"complaint_id": "k-1", "severity": "high", "resolution": "refund", "sla": {"met": True}},
    ),
    Example(
        Family.ADVOCACY,
        "Product Reviewed",
        {"product_id": "p-1", "rating": 4.5, "review_body": "Holds tea.", "verified": True},
        {"product_id": "p-1", "rating": 4.5, "review_body": "Holds tea.", "verified": True},
    ),
    Example(
        Family.TASK,
        "Task Completed",
        {"task_id": "t-1", "type": "call back", "due_at": "2026-11-23T09:00:00Z", "effort": None},
        {"task_id": "t-1", "type": "call back", "due_at": "2026-11-23T09:00:00Z", "effort": None},
    ),
    Example(Family.GENERIC, "Mug Broken", {"pieces": 3, "note": None}, {"pieces": 3, "note": None}),
)
