"""Interactions as ingest writes them: few people, sources, times and amounts, so that they meet and tie."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from shared.contracts.codec import encode, raw
from shared.contracts.identities import IdentityRef, identity_id, strength
from shared.contracts.interactions import Interaction
from shared.runtime.records import PlainRecord

SECRET = b"a secret of tests only"
START = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)

people = st.sampled_from(
    [
        (("user_id", "u-1"),),
        (("user_id", "u-1"), ("anonymous_id", "an-1")),
        (("user_id", "u-1"), ("email", "eva@example.com"), ("anonymous_id", "an-2")),
        (("user_id", "u-2"), ("user_id", "u-1")),
        (("email", "eva@example.com"),),
        (("anonymous_id", "an-1"),),
    ]
)
amounts = st.decimals("-1000000", "1000000", places=2) | st.decimals("0", "1", places=9) | st.just("9" * 20)
moneys = st.builds(
    lambda amount, currency: {"amount": f"{amount:f}" if not isinstance(amount, str) else amount, "currency": currency},
    amounts,
    st.sampled_from(["EUR", "USD"]),
)
orders = st.builds(
    lambda total: ("Order Completed", "order", {"order_id": "o", **({"total": total} if total else {})}),
    st.none() | moneys,
)
trait_values = st.none() | st.integers(0, 3) | st.sampled_from(["Wien", "Zürich", ""]) | st.just({"b": [1], "a": "x"})
identifies = st.builds(
    lambda traits: ("Identify", "identify", {"traits": traits}),
    st.dictionaries(st.sampled_from(["city", "plan"]), trait_values),
)
subjects = st.fixed_dictionaries(
    {"purpose": st.sampled_from(["marketing", "research"]), "channel": st.sampled_from(["email", "sms"])}
)
consents = st.builds(
    lambda name, said: (name, "consent", said), st.sampled_from(["Consent Given", "Consent Withdrawn"]), subjects
)
others = st.sampled_from(
    [("Unsubscribed", "consent", {}), ("Product Viewed", "browse", {"product_id": "p"}), ("Whatever", "generic", {})]
)

_ids = st.sampled_from(["1", "2"])
refunds = st.builds(lambda total: ("Order Refunded", "order", {"total": total} if total else {}), st.none() | moneys)
mails = st.builds(
    lambda name, kind: (name, "email", {"bounce_type": kind} if kind and name == "Email Bounced" else {}),
    st.sampled_from(["Email Delivered", "Email Opened", "Email Bounced", "Email Bounced", "Email Marked as Spam"]),
    st.sampled_from([None, "hard", "Soft", "suppressed"]),
)
tickets = st.builds(
    lambda step, number: (f"Ticket {step}", "ticket", {"ticket_id": number, "subject": f"about {step}"}),
    st.sampled_from(["Opened", "Replied", "Resolved", "Reopened"]),
    _ids,
)
complaints = st.builds(
    lambda step, number: (f"Complaint {step}", "complaint", {"complaint_id": number}),
    st.sampled_from(["Opened", "Closed"]),
    _ids,
)
deals = st.builds(
    lambda step, number, rest: (f"Deal {step}", "deal", {"deal_id": number, **rest}),
    st.sampled_from(["Stage Changed", "Stage Changed", "Won", "Lost"]),
    _ids,
    st.fixed_dictionaries(
        {}, optional={"stage": st.sampled_from(["demo", "offer"]), "owner_id": _ids, "name": _ids, "amount": moneys}
    ),
)
surveys = st.builds(
    lambda metric, score: ("Survey Answered", "survey", {"metric": metric, "score": score, "scale": 10}),
    st.sampled_from(["nps", "csat"]),
    st.integers(0, 10),
)
leads = st.builds(
    lambda name, owner: (name, "lead", {"owner_id": owner} if owner else {}),
    st.sampled_from(["Lead Created", "Lead Qualified"]),
    st.none() | _ids,
)
groups = st.builds(lambda number: ("Group Joined", "group", {"group_id": number}), _ids)
counted: st.SearchStrategy[tuple[str, str, Any]] = st.sampled_from(
    [("Page Viewed", "view", {}), ("Call Logged", "conversation", {}), ("Meeting Held", "conversation", {})]
)
said = (
    orders | identifies | consents | others | refunds | mails | tickets | complaints | deals | surveys | leads
    | groups | counted
)  # fmt: skip


def interaction(
    message_id: str,
    said: tuple[str, str, Any],
    identities: Sequence[tuple[str, str]] = (("user_id", "u-1"),),
    *,
    occurred_at: datetime = START,
    received_at: datetime = START,
    source: str = "shop",
) -> Interaction:
    """Make an interaction; its dedupe key is a function of source and message id, its hash of what it says."""
    name, family, payload = said
    refs = [IdentityRef(identity_id(SECRET, kind, value), kind, value) for kind, value in identities]
    named = hashlib.sha256(f"{source}/{message_id}".encode()).digest()
    spread = START + timedelta(minutes=named[0] % 3)  # some keys lie in January, some in February
    milliseconds = int(spread.timestamp() * 1000)
    return Interaction(
        message_id=message_id,
        source=source,
        name=name,
        family=family,
        occurred_at=occurred_at,
        received_at=received_at,
        identities=tuple(sorted(refs, key=strength)),
        payload=raw(payload),
        context=raw({"locale": "de-AT"}),
        dedupe_key=f"{milliseconds:012x}{named[:10].hex()}",
        payload_hash=hashlib.sha256(encode([name, payload])).digest()[:16].hex(),
    )


def record(interaction: Interaction, offset: int = 0, lane: int = 0) -> PlainRecord:
    """Put an interaction on the topic, with ingest's key."""
    return PlainRecord(
        topic="crm.interactions.v1",
        partition=lane,
        offset=offset,
        key=interaction.identities[0].id.encode(),
        value=encode(interaction),
        headers=[("ce_type", b"interaction.accepted.v1")],
    )


@st.composite
def interactions(draw: st.DrawFn) -> list[Interaction]:
    """Draw interactions with distinct ids."""
    drawn = draw(
        st.lists(
            st.tuples(
                said,
                people,
                st.integers(0, 3),
                st.sampled_from([0, 1, 400, 100_000]),
                st.sampled_from(["shop", "app"]),
            ),
            min_size=1,
            max_size=25,
        )
    )
    return [
        interaction(
            f"m-{number % 7}-{number}",
            said,
            identities,
            occurred_at=START + timedelta(minutes=minutes, seconds=ahead),
            received_at=START + timedelta(minutes=minutes),
            source=source,
        )
        for number, (said, identities, minutes, ahead, source) in enumerate(drawn)
    ]
