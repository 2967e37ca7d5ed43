"""What is said when somebody wants something: tickets, talks, surveys and complaints."""

from enum import StrEnum

import msgspec

from shared.contracts.vocabulary import Count, Id, Number, Seconds, Text


class SurveyMetric(StrEnum):
    """What a survey measures."""

    NPS = "nps"
    CSAT = "csat"
    CES = "ces"


class Direction(StrEnum):
    """Who began."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class TicketPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `ticket`: one step of a ticket's life; `first_contact` tells that its first answer resolved it."""

    ticket_id: Id
    subject: Text | None = None
    status: Text | None = None
    priority: Text | None = None
    category: Text | None = None
    channel: Text | None = None
    agent_id: Id | None = None
    team: Text | None = None
    reason: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    first_contact: bool | None = None


class SurveyPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `survey`: one answer, with the top of its scale.

    nps runs from 0 to 10; csat and ces from 1 to `scale`, which is 5 and 7 unless it was said.
    """

    metric: SurveyMetric
    score: Count
    scale: Count
    survey_id: Id | None = None
    question: Text | None = None
    comment: Text | None = None
    channel: Text | None = None
    ticket_id: Id | None = None
    order_id: Id | None = None
    email: Text | None = None


class ConversationPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `conversation`: a call, a chat or a meeting that is over."""

    conversation_id: Id | None = None
    direction: Direction | None = None
    duration: Seconds | None = None
    wait: Seconds | None = None
    outcome: Text | None = None
    subject: Text | None = None
    channel: Text | None = None
    agent_id: Id | None = None
    ticket_id: Id | None = None
    deal_id: Id | None = None
    email: Text | None = None
    phone: Text | None = None
    sentiment: Number | None = None


class ComplaintPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `complaint`: a complaint was opened or closed."""

    complaint_id: Id
    subject: Text | None = None
    category: Text | None = None
    severity: Text | None = None
    channel: Text | None = None
    resolution: Text | None = None
    ticket_id: Id | None = None
    order_id: Id | None = None
    product_id: Id | None = None
    email: Text | None = None
    phone: Text | None = None
