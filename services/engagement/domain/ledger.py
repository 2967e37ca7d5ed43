"""The life of a message: planned, sending (written down before the call), then what became of it; never sent twice.

`sending` is left only by the answer to that very attempt, or, when its sender is gone, to `unknown`, which nothing
leaves. Claiming and `sending` are one step of one transaction, so `claimed` is never seen at rest.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.engagement.domain.permission import Skip
from shared.contracts.outreach import MessageState

WAITING = frozenset({MessageState.PLANNED, MessageState.RETRY_WAIT})
"""The states that a message may be sent from."""


class IllegalStepError(ValueError):
    """A message was asked to do what its state forbids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a message is about: the same origin is the same message.

    `address_hash` is nothing when no address was known, `lane` the customer's; `caused_at` is when the event that
    led to it was accepted, as far as that is known.
    """

    campaign: str
    step: str
    channel: str
    customer_id: str
    occurrence: str
    address_hash: str | None
    lane: int
    caused_at: datetime | None = None

    @property
    def key(self) -> str:
        """Return the message's name: 32 hexadecimal digits of campaign, step, occurrence, channel and address."""
        parts = (self.campaign, self.step, self.occurrence, self.channel, self.address_hash or "")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message of the ledger; `revision` counts its steps, `attempt` the times it was handed to a provider.

    `reply` is the provider's code, never its words: they quote addresses. `due_at` is when it may be sent.
    """

    key: str
    origin: Origin
    state: MessageState
    planned_at: datetime
    changed_at: datetime
    due_at: datetime
    rule: str | None = None
    detail: str | None = None
    attempt: int = 0
    revision: int = 0
    provider_id: str | None = None
    reply: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message over."""

    reply: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider will never take it."""

    reply: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """The provider did not take it, and may later."""

    reply: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """We did not hand it over after all: it is nobody's fault, and never a reason to give it up."""

    reply: str = "not_sent"


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody knows whether the provider took it."""

    reply: str


Answer = Accepted | Refused | Deferred | NotSent | Lost


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Growing pauses between attempts: `first`, four times that, and so on up to `longest`."""

    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=4)
    attempts: int = 12

    def pause(self, attempt: int) -> timedelta:
        """Return the pause after an attempt, counted from 1."""
        return min(self.longest, self.first * int(4 ** min(attempt - 1, 16)))


def occurrence_of(segment: str, customer_id: str, sequence: int) -> str:
    """Name one firing of a trigger: 32 hexadecimal digits of segment, customer and the change's sequence."""
    return hashlib.sha256(f"{segment}\0{customer_id}\0{sequence}".encode()).hexdigest()[:32]


def plan(origin: Origin, now: datetime) -> Entry:
    """Write down a message that shall be sent."""
    return Entry(
        key=origin.key,
        origin=origin,
        state=MessageState.PLANNED,
        planned_at=now,
        changed_at=now,
        due_at=now,
        revision=1,
    )


def leave_out(origin: Origin, skip: Skip, now: datetime) -> Entry:
    """Write down a message that is not sent, and why."""
    return skipped(plan(origin, now), skip, now, revision=1)


def skipped(entry: Entry, skip: Skip, now: datetime, *, revision: int | None = None) -> Entry:
    """Give a waiting message up because a rule says no.

    Raises:
        IllegalStepError: it is not waiting.
    """
    _require_waiting(entry)
    return replace(
        entry,
        state=MessageState.SKIPPED,
        rule=skip.rule.value,
        detail=skip.detail or None,
        changed_at=now,
        revision=entry.revision + 1 if revision is None else revision,
    )


def claim(entry: Entry, domain: str, now: datetime) -> Entry:
    """Begin an attempt; its Message-ID follows from the key and stays the same over all attempts.

    Raises:
        IllegalStepError: the message is not waiting, or not due.
    """
    _require_waiting(entry)
    if entry.due_at > now:
        raise IllegalStepError(f"message {entry.key} is due later")
    return replace(
        entry,
        state=MessageState.SENDING,
        attempt=entry.attempt + 1,
        provider_id=f"<{entry.key}@{domain}>",
        changed_at=now,
        revision=entry.revision + 1,
    )


def settle(entry: Entry, attempt: int, answer: Answer, policy: RetryPolicy, now: datetime) -> Entry | None:  # noqa: PLR0911 - one outcome for each answer
    """Write down the answer to an attempt; nothing if that attempt was given up for lost meanwhile."""
    if entry.state is not MessageState.SENDING or entry.attempt != attempt:
        return None
    after = replace(entry, changed_at=now, revision=entry.revision + 1, reply=answer.reply)
    match answer:
        case Accepted():
            return replace(after, state=MessageState.ACCEPTED)
        case Refused():
            return replace(after, state=MessageState.FAILED, rule="refused")
        case NotSent():
            # The attempt keeps its number: a late answer to it must never be taken for one to the next.
            return replace(after, state=MessageState.RETRY_WAIT, due_at=now)
        case Deferred() if entry.attempt >= policy.attempts:
            return replace(after, state=MessageState.FAILED, rule="attempts_exhausted")
        case Deferred():
            return replace(after, state=MessageState.RETRY_WAIT, due_at=now + policy.pause(entry.attempt))
        case Lost():
            return replace(after, state=MessageState.UNKNOWN)


def give_up_for_lost(entry: Entry, now: datetime) -> Entry:
    """Take over from a sender that is gone: nobody knows what became of what it was sending.

    Raises:
        IllegalStepError: the message is not being sent.
    """
    if entry.state is not MessageState.SENDING:
        raise IllegalStepError(f"message {entry.key} is {entry.state}, not being sent")
    return replace(entry, state=MessageState.UNKNOWN, reply="sender_gone", changed_at=now, revision=entry.revision + 1)


def _require_waiting(entry: Entry) -> None:
    if entry.state not in WAITING:
        raise IllegalStepError(f"message {entry.key} is {entry.state}, not waiting")
