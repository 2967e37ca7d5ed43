"""Whatever interleaves (plans, senders, crashes, zombies, lost answers): a message is accepted at most once."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.engagement.domain.ledger import (
    WAITING,
    Accepted,
    Answer,
    Deferred,
    Entry,
    Lost,
    NotSent,
    Origin,
    Refused,
    RetryPolicy,
    claim,
    give_up_for_lost,
    plan,
    settle,
)
from shared.contracts.outreach import MessageState
from tests.unit.services.engagement.records import NOON

POLICY = RetryPolicy(first=timedelta(minutes=1), attempts=3)
TERMINAL = {MessageState.ACCEPTED, MessageState.FAILED, MessageState.UNKNOWN}

some = st.integers(0, 1)
fates = st.sampled_from(["accepted", "refused", "deferred", "not sent", "lost before", "lost after"])


def origin(number: int) -> Origin:
    return Origin(
        campaign="c",
        step="1",
        channel="email",
        customer_id="5f",
        occurrence=f"o-{number}",
        address_hash="a",
        lane=0,
    )


@dataclass
class Sender:
    """What a sender has in memory: lost in a crash, kept by a zombie."""

    epoch: int = 0
    took_over: int = 0
    unsent: dict[str, int] = field(default_factory=dict)
    answers: dict[str, tuple[int, Answer]] = field(default_factory=dict)
    in_doubt: dict[str, int] = field(default_factory=dict)


class Outreach(RuleBasedStateMachine):
    """The ledger is one row a message, the fence one epoch; every step of a sender may be its last."""

    @initialize()
    def begin(self) -> None:
        self.ledger: dict[str, Entry] = {}
        self.accepted: Counter[str] = Counter()
        self.epoch = 0
        self.now = NOON
        self.senders = [Sender() for _ in range(2)]
        self.an_occurrence_is_read(0)
        self.a_sender_gets_the_lane(0)

    def holds(self, sender: Sender) -> bool:
        return sender.epoch == self.epoch

    def idle(self) -> list[Sender]:
        return [one for one in self.senders if self.holds(one) and not one.unsent and not one.answers]

    def sending(self) -> list[Sender]:
        return [one for one in self.senders if one.unsent]

    def answered(self) -> list[Sender]:
        return [one for one in self.senders if one.answers]

    @rule(number=some)
    def an_occurrence_is_read(self, number: int) -> None:
        made = plan(origin(number), self.now)
        self.ledger.setdefault(made.key, made)

    @rule(who=some)
    def a_sender_gets_the_lane(self, who: int) -> None:
        self.epoch += 1
        self.senders[who].epoch = self.epoch

    @rule(who=some)
    def a_sender_crashes(self, who: int) -> None:
        self.senders[who] = Sender()

    @precondition(lambda self: bool(self.idle()))
    @rule(fate=st.sampled_from(["committed", "committed, answer lost", "rolled back"]))
    def a_sender_begins_a_round(self, fate: str) -> None:
        (sender,) = self.idle()
        if sender.took_over != sender.epoch:
            for key, entry in self.ledger.items():
                if entry.state is MessageState.SENDING:
                    self.ledger[key] = give_up_for_lost(entry, self.now)
            sender.took_over = sender.epoch
        for key, entry in self.ledger.items():
            if entry.state not in WAITING or entry.due_at > self.now:
                continue
            claimed = claim(entry, "example.com", self.now)
            if fate != "rolled back":
                self.ledger[key] = claimed
            if fate == "committed":
                sender.unsent[key] = claimed.attempt
            else:
                sender.answers[key] = (claimed.attempt, NotSent())
                sender.in_doubt[key] = sender.epoch

    @precondition(lambda self: bool(self.sending()))
    @rule(who=some, fate=fates)
    def a_sender_sends_one_whether_it_still_may_or_not(self, who: int, fate: str) -> None:
        sender = self.sending()[who % len(self.sending())]
        key, attempt = sender.unsent.popitem()
        self.accepted[key] += fate in {"accepted", "lost after"}
        answer: Answer
        match fate:
            case "accepted":
                answer = Accepted("250")
            case "refused":
                answer = Refused("550")
            case "deferred":
                answer = Deferred("451")
            case "not sent":
                answer = NotSent()
            case _:
                answer = Lost("disconnected")
        sender.answers[key] = (attempt, answer)

    @precondition(lambda self: bool(self.answered()))
    @rule(who=some, patient=st.booleans())
    def a_sender_writes_its_answers(self, who: int, *, patient: bool = False) -> None:
        sender = self.answered()[who % len(self.answered())]
        if patient and not self.holds(sender):
            return  # fenced: it keeps them, and may get the lane back
        if self.holds(sender):
            for key, (attempt, answer) in sender.answers.items():
                if sender.in_doubt.get(key, sender.epoch) != sender.epoch:
                    continue  # another may have made the same attempt meanwhile
                settled = settle(self.ledger[key], attempt, answer, POLICY, self.now)
                if settled is not None:
                    self.ledger[key] = settled
        sender.answers.clear()
        sender.in_doubt.clear()

    @rule(minutes=st.integers(1, 60))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @invariant()
    def no_message_is_accepted_twice(self) -> None:
        assert not self.accepted or max(self.accepted.values()) <= 1

    @invariant()
    def what_the_ledger_says_is_what_happened(self) -> None:
        for key, entry in self.ledger.items():
            if entry.state is MessageState.ACCEPTED:
                assert self.accepted[key] == 1
            if entry.state in {MessageState.FAILED, *WAITING}:
                assert self.accepted[key] == 0

    def teardown(self) -> None:
        if not hasattr(self, "ledger"):
            return
        # One sender that nothing happens to brings every message to its end.
        last = Sender()
        self.senders = [last, Sender()]
        self.a_sender_gets_the_lane(0)
        for _ in range(POLICY.attempts + 1):
            self.time_passes(60)
            self.a_sender_begins_a_round("committed")
            while last.unsent:
                self.a_sender_sends_one_whether_it_still_may_or_not(0, "deferred")
            if last.answers:
                self.a_sender_writes_its_answers(0)
        assert {entry.state for entry in self.ledger.values()} <= TERMINAL
        self.no_message_is_accepted_twice()


TestAtMostOneAccept = Outreach.TestCase
TestAtMostOneAccept.settings = settings(stateful_step_count=30, deadline=None)
