"""The steps of a message: what each is allowed from, and what names it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.engagement.domain.announcement import announce
from services.engagement.domain.ledger import (
    Accepted,
    Answer,
    Deferred,
    IllegalStepError,
    Lost,
    NotSent,
    Origin,
    Refused,
    RetryPolicy,
    claim,
    give_up_for_lost,
    leave_out,
    occurrence_of,
    plan,
    settle,
    skipped,
)
from services.engagement.domain.permission import Rule, Skip
from shared.contracts.outreach import MessageState
from tests.unit.services.engagement.records import NOON, person

ORIGIN = Origin(
    campaign="welcome-back",
    step="1",
    channel="email",
    customer_id=person(1),
    occurrence=occurrence_of("two-or-more", person(1), 1),
    address_hash="a" * 32,
    lane=2,
)
POLICY = RetryPolicy(first=timedelta(seconds=30), longest=timedelta(hours=1), attempts=3)
SENDING = claim(plan(ORIGIN, NOON), "example.com", NOON)


@pytest.mark.parametrize("part", ["campaign", "step", "channel", "occurrence", "address_hash"])
def test_a_message_is_named_by_campaign_step_channel_occurrence_and_address(part: str) -> None:
    assert len(ORIGIN.key) == 32
    changed: dict[str, Any] = {part: "other"}
    assert replace(ORIGIN, **changed).key != ORIGIN.key
    assert replace(ORIGIN, lane=3, customer_id="other").key == ORIGIN.key


def test_an_occurrence_is_one_entry_of_one_customer_into_one_segment() -> None:
    others = {
        occurrence_of("a", "b", 1),
        occurrence_of("a", "b", 2),
        occurrence_of("a", "c", 1),
        occurrence_of("d", "b", 1),
    }
    assert len(others) == 4
    assert occurrence_of("a", "b", 1) in others


@pytest.mark.parametrize(
    ("answer", "state", "rule"),
    [
        (Accepted("250"), MessageState.ACCEPTED, None),
        (Refused("550 5.1.1"), MessageState.FAILED, "refused"),
        (Deferred("451"), MessageState.RETRY_WAIT, None),
        (NotSent(), MessageState.RETRY_WAIT, None),
        (Lost("timeout"), MessageState.UNKNOWN, None),
    ],
)
def test_an_answer_ends_the_attempt_it_belongs_to(answer: Answer, state: MessageState, rule: str | None) -> None:
    after = settle(SENDING, 1, answer, POLICY, NOON)
    assert after is not None
    assert (after.state, after.rule, after.reply, after.revision) == (state, rule, answer.reply, 3)


def test_an_answer_to_an_attempt_that_was_given_up_changes_nothing() -> None:
    assert settle(give_up_for_lost(SENDING, NOON), 1, Accepted("250"), POLICY, NOON) is None
    assert settle(SENDING, 2, Accepted("250"), POLICY, NOON) is None


def test_pauses_grow_to_the_longest_and_attempts_come_to_an_end() -> None:
    assert [POLICY.pause(n).total_seconds() for n in (1, 2, 3, 4, 5, 99)] == [30, 120, 480, 1920, 3600, 3600]
    last = settle(replace(SENDING, attempt=3), 3, Deferred("451"), POLICY, NOON)
    assert last is not None
    assert (last.state, last.rule) == (MessageState.FAILED, "attempts_exhausted")


def test_a_message_that_we_did_not_hand_over_is_due_at_once_and_never_given_up() -> None:
    again = settle(replace(SENDING, attempt=3), 3, NotSent(), POLICY, NOON)
    assert again is not None
    assert (again.state, again.due_at, again.attempt) == (MessageState.RETRY_WAIT, NOON, 3)


def test_the_message_id_stays_the_same_over_attempts() -> None:
    waiting = settle(SENDING, 1, Deferred("451"), POLICY, NOON)
    assert waiting is not None
    with pytest.raises(IllegalStepError, match="is due later"):
        claim(waiting, "example.com", NOON)
    again = claim(waiting, "example.com", NOON + timedelta(seconds=30))
    assert again.provider_id == SENDING.provider_id == f"<{ORIGIN.key}@example.com>"
    assert again.attempt == 2


@pytest.mark.parametrize("state", [s for s in MessageState if s not in {MessageState.PLANNED, MessageState.RETRY_WAIT}])
def test_only_a_waiting_message_can_be_sent_or_skipped(state: MessageState) -> None:
    entry = replace(plan(ORIGIN, NOON), state=state)
    with pytest.raises(IllegalStepError, match="not waiting"):
        claim(entry, "example.com", NOON)
    with pytest.raises(IllegalStepError, match="not waiting"):
        skipped(entry, Skip(Rule.EXPIRED), NOON)


@pytest.mark.parametrize("state", [s for s in MessageState if s is not MessageState.SENDING])
def test_only_what_is_being_sent_can_be_given_up_for_lost(state: MessageState) -> None:
    with pytest.raises(IllegalStepError, match="not being sent"):
        give_up_for_lost(replace(SENDING, state=state), NOON)


def test_sending_is_announced_to_nobody_and_everything_else_once() -> None:
    assert announce(SENDING) is None
    said = [announce(plan(ORIGIN, NOON)), announce(give_up_for_lost(SENDING, NOON))]
    assert [one.id for one in said if one] == [f"{ORIGIN.key}-1", f"{ORIGIN.key}-3"]
    left_out = announce(leave_out(ORIGIN, Skip(Rule.NO_CONSENT, "marketing/email"), NOON))
    assert left_out is not None
    assert (left_out.id, left_out.type) == (f"{ORIGIN.key}-1", "message.skipped.v1")
