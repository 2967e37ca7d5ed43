"""What most events do to a record: they are counted, and some write a status, an answer, an owner or a mail's fate."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import msgspec

from services.profile.domain.amounts import amount_of
from services.profile.domain.state import MailRegister
from shared.contracts.catalogue import GROUP, PAGE, SCREEN
from shared.contracts.codec import decode, encode
from shared.contracts.customers import LONGEST_SUBJECT
from shared.contracts.money import Money
from shared.contracts.payloads.care import SurveyPayload

TICKETS, COMPLAINTS, DEALS, DEAL_AMOUNTS, SURVEYS, ONE = (
    "tickets",
    "complaints",
    "deals",
    "deal_amounts",
    "surveys",
    "one",
)
"""The books that are written into; `ONE` holds what a customer has one of."""
OWNER, ACCOUNT = "owner", "account"
"""What is in `ONE`."""
REFUNDS = "refunds"

BOOKS_OF_CASES = (TICKETS, COMPLAINTS, DEALS)
TALLIES = frozenset(
    {
        "visits",
        "browsing",
        "refunds",
        "cancellations",
        "mails",
        "mail_opens",
        "mail_clicks",
        "mail_bounces",
        "mail_complaints",
        "sign_ups",
        "sign_ins",
        "trials",
        "tickets",
        "ticket_replies",
        "tickets_resolved",
        "tickets_reopened",
        "nps",
        "csat",
        "ces",
        "calls",
        "chats",
        "meetings",
        "leads",
        "leads_qualified",
        "deals_won",
        "deals_lost",
        "complaints",
        "complaints_closed",
        "referrals",
        "reviews",
        "tasks",
    }
)
"""Every name under which something is counted."""


class Write(NamedTuple):
    """A value, as JSON, under a name in a book."""

    book: str
    name: str
    value: bytes


class Noted(msgspec.Struct, frozen=True, gc=False):
    """One more of `tally`, with an amount to be added there, writes, and what happened to the address it went to."""

    tally: str | None = None
    amount: Decimal | None = None
    currency: str = ""
    writes: tuple[Write, ...] = ()
    mail: Callable[[datetime], MailRegister] | None = None


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a ticket, a complaint or a deal stands; what is closed is kept, or an older event would open it again."""

    status: str
    open: bool = False
    subject: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """An answer to a survey."""

    score: int
    scale: int


class _Refund(msgspec.Struct, frozen=True):
    total: Money | None = None


class _Bounce(msgspec.Struct, frozen=True):
    bounce_type: str | None = None


class _Ticket(msgspec.Struct, frozen=True):
    ticket_id: str
    subject: str | None = None


class _Complaint(msgspec.Struct, frozen=True):
    complaint_id: str
    subject: str | None = None


class _Lead(msgspec.Struct, frozen=True):
    owner_id: str | None = None


class _Deal(msgspec.Struct, frozen=True):
    deal_id: str
    name: str | None = None
    stage: str | None = None
    amount: Money | None = None
    owner_id: str | None = None


class _Group(msgspec.Struct, frozen=True):
    group_id: str


Reader = Callable[[msgspec.Raw], Noted]

_PASSING = frozenset({"soft", "transient", "temporary", "undetermined"})
_SUPPRESSED = frozenset({"suppressed", "suppression", "blocklist"})


def _counted(tally: str, mail: Callable[[datetime], MailRegister] | None = None) -> Reader:
    noted = Noted(tally, mail=mail)
    return lambda _payload: noted


def _delivered(at: datetime) -> MailRegister:
    return MailRegister(delivered_at=at)


def _bounced(at: datetime) -> MailRegister:
    return MailRegister(bounced_at=at)


def _suppressed(at: datetime) -> MailRegister:
    return MailRegister(suppressed_at=at)


def _complained(at: datetime) -> MailRegister:
    return MailRegister(complained_at=at)


def _bounce(payload: msgspec.Raw) -> Noted:
    kind = (decode(_Bounce, payload).bounce_type or "").casefold()
    if kind in _PASSING:
        return Noted("mail_bounces")  # a mailbox that is full today says nothing about its address
    return Noted("mail_bounces", mail=_suppressed if kind in _SUPPRESSED else _bounced)


def _refund(payload: msgspec.Raw) -> Noted:
    total = decode(_Refund, payload).total
    return Noted(REFUNDS) if total is None else Noted(REFUNDS, amount_of(total.amount), total.currency)


def _ticket(tally: str, status: str, *, stays_open: bool) -> Reader:
    def read(payload: msgspec.Raw) -> Noted:
        said = decode(_Ticket, payload)
        return Noted(tally, writes=(_standing(TICKETS, said.ticket_id, status, said.subject, stays_open=stays_open),))

    return read


def _complaint(tally: str, status: str, *, stays_open: bool) -> Reader:
    def read(payload: msgspec.Raw) -> Noted:
        said = decode(_Complaint, payload)
        write = _standing(COMPLAINTS, said.complaint_id, status, said.subject, stays_open=stays_open)
        return Noted(tally, writes=(write,))

    return read


def _deal(tally: str | None, status: str | None) -> Reader:
    def read(payload: msgspec.Raw) -> Noted:
        said = decode(_Deal, payload)
        stage = status or said.stage or "open"
        writes = [_standing(DEALS, said.deal_id, stage, said.name, stays_open=status is None)]
        if said.amount is not None:
            amount_of(said.amount.amount)  # what is no amount refuses the event
            writes.append(Write(DEAL_AMOUNTS, said.deal_id, encode(said.amount)))
        return Noted(tally, writes=(*writes, *_owned(said.owner_id)))

    return read


def _lead(tally: str) -> Reader:
    return lambda payload: Noted(tally, writes=_owned(decode(_Lead, payload).owner_id))


def _survey(payload: msgspec.Raw) -> Noted:
    said = decode(SurveyPayload, payload)
    metric = said.metric.value
    return Noted(metric, writes=(Write(SURVEYS, metric, encode(Answer(said.score, said.scale))),))


def _group(payload: msgspec.Raw) -> Noted:
    return Noted(writes=(Write(ONE, ACCOUNT, encode(decode(_Group, payload).group_id)),))


def _owned(owner_id: str | None) -> tuple[Write, ...]:
    return () if owner_id is None else (Write(ONE, OWNER, encode(owner_id)),)


def _standing(book: str, name: str, status: str, subject: str | None, *, stays_open: bool) -> Write:
    shown = None if subject is None else subject[:LONGEST_SUBJECT]
    return Write(book, name, encode(Standing(status[:LONGEST_SUBJECT], stays_open, shown)))


READERS: Mapping[str, Reader] = {
    PAGE: _counted("visits"),
    SCREEN: _counted("visits"),
    "Products Searched": _counted("browsing"),
    "Product Viewed": _counted("browsing"),
    "Product Added": _counted("browsing"),
    "Product Removed": _counted("browsing"),
    "Cart Viewed": _counted("browsing"),
    "Checkout Started": _counted("browsing"),
    "Order Refunded": _refund,
    "Order Cancelled": _counted("cancellations"),
    "Email Delivered": _counted("mails", _delivered),
    "Email Opened": _counted("mail_opens", _delivered),
    "Email Link Clicked": _counted("mail_clicks", _delivered),
    "Email Bounced": _bounce,
    "Email Marked as Spam": _counted("mail_complaints", _complained),
    "Signed Up": _counted("sign_ups"),
    "Signed In": _counted("sign_ins"),
    "Trial Started": _counted("trials"),
    "Ticket Opened": _ticket("tickets", "opened", stays_open=True),
    "Ticket Replied": _counted("ticket_replies"),
    "Ticket Resolved": _ticket("tickets_resolved", "resolved", stays_open=False),
    "Ticket Reopened": _ticket("tickets_reopened", "reopened", stays_open=True),
    "Survey Answered": _survey,
    "Call Logged": _counted("calls"),
    "Chat Ended": _counted("chats"),
    "Meeting Held": _counted("meetings"),
    "Lead Created": _lead("leads"),
    "Lead Qualified": _lead("leads_qualified"),
    "Deal Stage Changed": _deal(None, None),
    "Deal Won": _deal("deals_won", "won"),
    "Deal Lost": _deal("deals_lost", "lost"),
    "Complaint Opened": _complaint("complaints", "opened", stays_open=True),
    "Complaint Closed": _complaint("complaints_closed", "closed", stays_open=False),
    "Referral Made": _counted("referrals"),
    "Review Posted": _counted("reviews"),
    "Product Reviewed": _counted("reviews"),
    "Task Completed": _counted("tasks"),
    GROUP: _group,
}
"""How each event that is no order, trait or word of consent is read, by its name."""
