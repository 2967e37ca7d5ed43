"""What is said about selling: leads, deals, what marketing cost, and what was done."""

import msgspec

from shared.contracts.money import Money
from shared.contracts.vocabulary import Count, Id, Moment, Number, Text


class LeadPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `lead`: somebody may want to buy, and whether that was looked into."""

    lead_id: Id | None = None
    email: Text | None = None
    phone: Text | None = None
    crm_id: Id | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    company: Text | None = None
    title: Text | None = None
    channel: Text | None = None
    campaign: Text | None = None
    owner_id: Id | None = None
    status: Text | None = None
    score: Number | None = None
    value: Money | None = None


class DealPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `deal`: a deal moved on, was won or was lost; each step of a pipeline names its stage."""

    deal_id: Id
    name: Text | None = None
    stage: Text | None = None
    previous_stage: Text | None = None
    pipeline: Text | None = None
    amount: Money | None = None
    probability: Number | None = None
    expected_close: Moment | None = None
    reason: Text | None = None
    competitor: Text | None = None
    owner_id: Id | None = None
    lead_id: Id | None = None
    group_id: Id | None = None


class SpendPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `spend`: what marketing cost on a channel, for which campaign and time."""

    amount: Money
    channel: Text
    campaign: Text | None = None
    campaign_id: Id | None = None
    period_start: Moment | None = None
    period_end: Moment | None = None
    impressions: Count | None = None
    clicks: Count | None = None


class TaskPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `task`: a task about somebody is done."""

    task_id: Id
    subject: Text | None = None
    type: Text | None = None
    outcome: Text | None = None
    due_at: Moment | None = None
    owner_id: Id | None = None
    deal_id: Id | None = None
    ticket_id: Id | None = None
