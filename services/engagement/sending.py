"""The sender: writes down what it is about to send, sends, writes down the answers, and never sends twice."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.engagement.domain import ledger as life
from services.engagement.domain.campaign import Campaign
from services.engagement.domain.contact import Contact
from services.engagement.domain.following import follow
from services.engagement.domain.ledger import Answer, Entry, Lost, NotSent, RetryPolicy
from services.engagement.domain.mail import Mail, compose, render
from services.engagement.domain.permission import Rule, Send, Skip, Wish, may_we_contact
from services.engagement.domain.templates import TemplateError
from services.engagement.handlers import Planning, publications
from services.engagement.ports import Ledger, Mailer, Waiting
from shared.contracts.outreach import MessageState
from shared.runtime.clock import Clock
from shared.runtime.logs import logger
from shared.runtime.transaction import Transactions

log = logger(__name__)

FLUSH_SECONDS = 1.0
CLAIM_HOLDS = timedelta(seconds=10)
"""How long after consent was asked a mail may still be begun; what is left then is claimed, and asked for, anew."""
LOOK_AGAIN = timedelta(seconds=5)
"""How soon a message looks again for who its customer is now."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message that was written down as being sent: which attempt it is, whose lane it is, and under which epoch."""

    lane: int
    epoch: int
    number: int
    caused_at: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """When consent was asked, by two clocks: a wall clock may be set back, a steady one may stand still with us."""

    wall: datetime
    steady: float

    def still_holds(self, now: datetime) -> bool:
        """Say whether a mail may still be begun on what was answered."""
        return now - self.wall < CLAIM_HOLDS and time.monotonic() - self.steady < CLAIM_HOLDS.total_seconds()


@dataclass(frozen=True, slots=True)
class Pace:
    """How many messages are written down at once, and how deferred ones are tried again."""

    batch: int
    retry: RetryPolicy


class Sender:
    """Sends what is waiting on the lanes held now; one `round` at a time.

    `accepted` is told when each accepted message's cause was accepted by us, if that is known.

    What is `sending` in the ledger was put there by a round of ours that still runs, or by a sender that is gone:
    between two rounds it is always the latter, or ours and its answer is kept.

    Answers outlive a rebalance: they are kept while their lanes are not held, written when these come back, and
    forgotten when others were given to us instead.
    """

    def __init__(
        self,
        planning: Planning,
        ledger: Ledger,
        mailer: Mailer,
        transactions: Transactions,
        clock: Clock,
        pace: Pace,
        accepted: Callable[[datetime], None],
    ) -> None:
        self._planning = planning
        self._ledger = ledger
        self._mailer = mailer
        self._transactions = transactions
        self._clock = clock
        self._pace = pace
        self._accepted = accepted
        self._attempts: dict[str, Attempt] = {}
        self._answers: dict[str, Answer] = {}
        self._in_doubt: set[str] = set()
        self._taken_over: Mapping[int, int] = {}

    async def round(self) -> int:
        """Send one batch; returns how many messages were dealt with, 0 when nothing waits.

        Raises:
            FencedError, psycopg.Error: the ledger could not be written; answers are kept and written by the next round.
            MailServerUnreachableError: there is no connection; nothing was taken.
        """
        # Lanes may come back at any `await`: none is taken over before the answers kept for it are written.
        while self._writable():
            await self._write_answers()
        await self._take_over()
        lanes = self._transactions.claims.lanes
        if not lanes or not await self._ledger.has_due(sorted(lanes), self._clock.now()):
            return 0
        await self._mailer.ready()
        epochs = self._transactions.claims.epochs(self._transactions.claims.lanes)
        if epochs != self._taken_over:
            # They moved while we looked: what their last sender left behind comes first.
            return 0
        asked = Asked(self._clock.now(), time.monotonic())
        taken, mails = await self._claim(epochs)
        if mails:
            await self._deliver(mails, asked)
        return taken

    async def _claim(self, lanes: Mapping[int, int]) -> tuple[int, list[Mail]]:
        mails: list[Mail] = []
        try:
            async with self._transactions.begin(lanes) as transaction:
                now = self._clock.now()
                waiting = await self._ledger.take(transaction.connection, sorted(lanes), now, self._pace.batch)
                unclear: list[str] = []
                stepped = list(self._decide(waiting, lanes, mails, unclear, now))
                if unclear:
                    await self._ledger.put_off(transaction.connection, unclear, now + LOOK_AGAIN)
                if stepped:
                    transaction.publish(publications(await self._ledger.write(transaction.connection, stepped)))
        except BaseException:
            # Whether this was committed is unknown, that nothing of it was sent is certain.
            keys = [mail.key for mail in mails]
            self._answers.update(dict.fromkeys(keys, NotSent()))
            self._in_doubt.update(keys)
            raise
        return len(stepped), mails

    def _decide(
        self, waiting: Waiting, epochs: Mapping[int, int], mails: list[Mail], unclear: list[str], now: datetime
    ) -> Iterator[Entry]:
        for entry in waiting.entries:
            campaign = self._planning.campaigns.get(entry.origin.campaign)
            own = waiting.contacts.get(entry.origin.customer_id)
            contact = None if own is None else follow(own, waiting.contacts, waiting.memberships)
            if own is not None and contact is None:
                if campaign is not None and now - entry.planned_at <= campaign.expires_after:
                    unclear.append(entry.key)
                else:
                    rule = Rule.CAMPAIGN_GONE if campaign is None else Rule.EXPIRED
                    yield life.skipped(entry, Skip(rule, "it is not known who it is now"), now)
                continue
            decided = self._prepare(entry, campaign, contact, now)
            if isinstance(decided, Skip):
                yield life.skipped(entry, decided, now)
                continue
            claimed, mail = decided
            mails.append(mail)
            lane = entry.origin.lane
            self._attempts[entry.key] = Attempt(lane, epochs[lane], claimed.attempt, entry.origin.caused_at)
            yield claimed

    def _prepare(
        self, entry: Entry, campaign: Campaign | None, contact: Contact | None, now: datetime
    ) -> Skip | tuple[Entry, Mail]:
        if campaign is None:
            return Skip(Rule.CAMPAIGN_GONE)
        wish = Wish(campaign, entry.planned_at, self._planning.hash_address, entry.origin.address_hash)
        verdict = may_we_contact(contact, wish, now)
        if not isinstance(verdict, Send) or contact is None:
            return verdict if isinstance(verdict, Skip) else Skip(Rule.UNKNOWN_CUSTOMER)
        try:
            rendered = render(campaign, contact)
        except TemplateError as error:
            return Skip(Rule.NOT_RENDERABLE, str(error))
        claimed = life.claim(entry, campaign.letter.sender.domain, now)
        message_id = claimed.provider_id or ""
        return claimed, compose(entry.key, message_id, campaign, verdict.address, rendered, now)

    async def _deliver(self, mails: list[Mail], asked: Asked) -> None:
        delivery = asyncio.create_task(
            self._mailer.deliver(self._while_ours(mails, asked), len(mails), self._answers.__setitem__), name="deliver"
        )
        try:
            while not delivery.done():
                await asyncio.wait({delivery}, timeout=FLUSH_SECONDS)
                await self._write_answers()
        finally:
            # An error of the ledger must not leave mails under way behind: their answers would come to nobody.
            await asyncio.wait({delivery})
            for key in self._attempts.keys() - self._answers.keys():
                self._answers[key] = Lost("interrupted")
        await self._write_answers()
        delivery.result()

    def _while_ours(self, mails: list[Mail], asked: Asked) -> Iterator[Mail]:
        for mail in mails:
            if self._same_claim(self._attempts[mail.key]) and asked.still_holds(self._clock.now()):
                yield mail
            else:
                self._answers[mail.key] = NotSent()

    def _same_claim(self, attempt: Attempt) -> bool:
        claims = self._transactions.claims
        return attempt.lane in claims.lanes and claims.epochs((attempt.lane,))[attempt.lane] == attempt.epoch

    def _writable(self) -> dict[str, Answer]:
        held = self._transactions.claims.lanes
        return {key: answer for key, answer in self._answers.items() if self._attempts[key].lane in held}

    async def _write_answers(self) -> None:
        # Whether such a claim was ours at all can't be told any more once another may have made the same attempt.
        self._forget(
            [key for key in self._in_doubt & self._writable().keys() if not self._same_claim(self._attempts[key])]
        )
        answers = self._writable()
        if not answers:
            return
        async with self._transactions.begin({self._attempts[key].lane for key in answers}) as transaction:
            now = self._clock.now()
            entries = await self._ledger.read(transaction.connection, sorted(answers))
            settled = [
                one
                for one in (
                    life.settle(entry, self._attempts[entry.key].number, answers[entry.key], self._pace.retry, now)
                    for entry in entries
                )
                if one is not None
            ]
            if settled:
                transaction.publish(publications(await self._ledger.write(transaction.connection, settled)))
        for entry in settled:
            if entry.state is MessageState.ACCEPTED and entry.origin.caused_at is not None:
                self._accepted(entry.origin.caused_at)
        self._forget(answers)

    async def _take_over(self) -> None:
        claims = self._transactions.claims
        epochs = claims.epochs(claims.lanes)
        if epochs == self._taken_over:
            return
        if epochs:
            late = [key for key in self._answers if self._attempts[key].lane not in epochs]
            if late:
                # Whoever got the lane writes `unknown`, which nothing may overwrite.
                log.warning("Answers came after their lanes were lost", action="send.late", messages=len(late))
                self._forget(late)
            async with self._transactions.begin(epochs) as transaction:
                now = self._clock.now()
                orphans = await self._ledger.being_sent(transaction.connection, sorted(epochs))
                if orphans:
                    given_up = [life.give_up_for_lost(entry, now) for entry in orphans]
                    transaction.publish(publications(await self._ledger.write(transaction.connection, given_up)))
            if orphans:
                log.warning("Messages of a sender that is gone", action="send.orphans", messages=len(orphans))
        self._taken_over = epochs

    def _forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._answers.pop(key, None)
            self._attempts.pop(key, None)
            self._in_doubt.discard(key)
