"""One request with events: who sends it, whether there is room, what is in it; written, counted and answered."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from services.ingest.domain.glance import surely_good
from services.ingest.domain.posts import Piece, pieces
from services.ingest.domain.problems import Problem
from services.ingest.domain.reading import Reader, read
from services.ingest.domain.shapes import snowplow
from services.ingest.domain.sources import Source
from services.ingest.gateway import answers, credentials
from services.ingest.gateway.answers import Answer, Receive
from services.ingest.gateway.appending import Appender, NotWrittenError
from services.ingest.gateway.bodies import Gone, NoRoom, body
from services.ingest.gateway.budget import ANONYMOUS, Budget, Lease
from services.ingest.gateway.credentials import Head
from services.ingest.gateway.inflating import Broken, TooLarge, inflated
from services.ingest.gateway.observing import Observer, Refusal
from services.ingest.gateway.rates import Rates
from services.ingest.gateway.routes import Family, Route
from services.ingest.gateway.settings import IngestGatewaySettings
from services.ingest.source_book import Authenticated, SourceBook
from shared.contracts.envelope import Headers
from shared.contracts.interactions import Interaction
from shared.contracts.topics import RAW_EVENTS
from shared.runtime.clock import Clock
from shared.runtime.handler import Message
from shared.runtime.records import PlainRecord

T = TypeVar("T")

OVERHEAD_BYTES = 4096
"""What a request holds beside its body."""

IN_PASSING_BYTES = 64 * 1024
"""What is read between two turns of the event loop; reading more may take seconds, and others shall not wait for it."""

BUSY_SECONDS = 1.0
KAFKA_SECONDS = 2.0


class Reception:
    """Takes what is posted. Nothing is answered with 200 before Kafka has it on every in-sync replica."""

    def __init__(
        self,
        settings: IngestGatewaySettings,
        book: SourceBook,
        reader: Reader,
        appender: Appender,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._settings = settings
        self._book = book
        self._reader = reader
        self._appender = appender
        self._clock = clock
        self._observer = observer
        self.budget = Budget(settings.in_flight_bytes)
        self._rates = Rates()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, route: Route, of: Head, said: Sequence[str], receive: Receive) -> Answer | None:
        """Answer one request; nothing if nobody waits for it any more.

        `said` are the keys that it shows outside its body.
        """
        sender = self.known(said)
        lease = self.budget.lease(ANONYMOUS if sender is None else sender.name)
        try:
            refusal = self._too_much(sender, lease)
            if refusal is not None:
                return refusal
            sent = await body(receive, of.length, self._settings.largest_request_bytes, lease)
            if isinstance(sent, Gone):
                return None
            plain = self._plain(route, of, sent, lease)
            if isinstance(plain, Answer):
                return plain
            if sender is None:
                found = self._identified(plain, lease)
                if isinstance(found, Answer):
                    return found
                sender = found
            return await self._store(route, sender, plain)
        finally:
            lease.close()

    def known(self, said: Sequence[str]) -> Source | None:
        """Find the source of the first good key."""
        for text in said:
            found = self._book.authenticate(text)
            if isinstance(found, Authenticated):
                self._book.used(found.key_id)
                return found.source
        return None

    def _too_much(self, sender: Source | None, lease: Lease) -> Answer | None:
        """Refuse before the body is read; whoever is not known yet is asked again when it is."""
        seconds = 0.0 if sender is None else self._rates.wait(sender, time.monotonic())
        if seconds:
            return self._refuse(Refusal.RATE, 429, "too_fast", "this source sends more than was agreed", seconds)
        return None if lease.grow(OVERHEAD_BYTES) else self._no_room()

    def _plain(self, route: Route, of: Head, sent: bytes | TooLarge | NoRoom, lease: Lease) -> bytes | Answer:
        """Inflate what was read, as far as there is room."""
        plain = inflated(sent, of.encoding, self._settings.largest_request_bytes) if isinstance(sent, bytes) else sent
        match plain:
            case TooLarge():
                # Snowplow's trackers send for ever what they are told is too large.
                status = 400 if route.family is Family.SNOWPLOW else 413
                most = self._settings.largest_request_bytes
                return self._refuse(Refusal.TOO_LARGE, status, "too_large", f"a request has at most {most} bytes")
            case Broken():
                return self._refuse(Refusal.NOT_JSON, 400, "broken_encoding", "the body can't be inflated")
            case NoRoom():
                return self._no_room()
        more = len(plain) - (len(sent) if isinstance(sent, bytes) else 0)
        return plain if more <= 0 or lease.grow(more) else self._no_room()

    def _identified(self, plain: bytes, lease: Lease) -> Source | Answer:
        """Look for the key in the body."""
        sender = self.known([credentials.in_body(plain)])
        if sender is None:
            if self._book.read_at is None:
                # An empty book knows nobody: 401 would make senders throw good events away.
                words = "the sources are not known yet: send it again"
                return self._refuse(Refusal.STARTING, 503, "starting", words, KAFKA_SECONDS)
            return self._refuse(Refusal.UNKNOWN_KEY, 401, "unknown_key", "no source has this write key")
        if not lease.move(sender.name):
            return self._no_room()
        return self._too_much(sender, lease) or sender

    async def _store(self, route: Route, sender: Source, plain: bytes) -> Answer:
        received = self._clock.now()
        found = await self._aside(
            sender, len(plain), lambda: pieces(plain, route.form, sender.name, lambda: _uuid7(received))
        )
        if isinstance(found, Problem):
            return self._refuse(Refusal.NOT_JSON, 400, "not_json", f"expected {found.expected}, found {found.found}")
        self._rates.charge(sender, sum(piece.events for piece in found), time.monotonic())
        return await self._write(route, sender, found, received)

    async def _write(self, route: Route, sender: Source, found: Sequence[Piece], received: datetime) -> Answer:
        run: list[tuple[Message, Headers]] = []
        accepted = events = size = 0
        for piece in found:
            if run:
                # Reading a piece takes some milliseconds: others get their turn between two.
                await asyncio.sleep(0)
            headers = _headers(route, sender, piece, received)
            run.append((Message(b"", piece.value, headers), headers))
            accepted += await self._good(route, sender, piece, headers, received)
            events += piece.events
            size += len(piece.value)
        if run:
            try:
                async with asyncio.timeout(self._settings.answer_seconds):
                    await self._appender.append(run, size)
            except (TimeoutError, NotWrittenError):
                return self._refuse(
                    Refusal.KAFKA, 503, "not_written", "the events are not safe yet: send them again", KAFKA_SECONDS
                )
        self._observer.read(accepted, events - accepted)
        return answers.written(accepted, events - accepted)

    async def _good(self, route: Route, sender: Source, piece: Piece, headers: Headers, received: datetime) -> int:
        """Count the events that will be accepted: at a glance, and by reading those that leave a doubt."""
        good, doubtful = 0, piece.value
        if route.family is not Family.SNOWPLOW:
            good, doubtful = surely_good(piece.value, route.type, sender, received)
            if not doubtful:
                return good
        record = PlainRecord(
            topic=RAW_EVENTS.name,
            partition=0,
            offset=0,
            timestamp=int(received.timestamp() * 1000),
            value=doubtful,
            headers=headers,
        )
        readings = await self._aside(sender, len(doubtful), lambda: read(record, self._reader))
        return good + sum(type(reading) is Interaction for reading in readings)

    async def _aside(self, sender: Source, size: int, work: Callable[[], T]) -> T:
        """Work through what a source sent, beside the event loop if it is much; one thing at a time for each source."""
        if size <= IN_PASSING_BYTES:
            return work()
        turn = self._turns.get(sender.name)
        if turn is None:
            turn = self._turns[sender.name] = asyncio.Lock()
        async with turn:
            return await asyncio.to_thread(work)

    def _no_room(self) -> Answer:
        return self._refuse(Refusal.NO_ROOM, 429, "busy", "too much is under way", BUSY_SECONDS)

    def _refuse(
        self, refusal: Refusal, status: int, code: str, message: str, retry_after: float | None = None
    ) -> Answer:
        self._observer.refused(refusal)
        return answers.refused(status, code, message, retry_after=retry_after)


def _headers(route: Route, sender: Source, piece: Piece, received: datetime) -> Headers:
    headers: Headers = [("source", sender.name.encode()), ("received_at", received.isoformat().encode())]
    if route.family is Family.SNOWPLOW:
        headers.append(("content-type", snowplow.CONTENT_TYPE))
    elif route.type is not None and piece.alone:
        headers.append(("crm_type", route.type.encode()))
    return headers


def _uuid7(at: datetime) -> str:
    """Make a UUIDv7 (RFC 9562): 48 bits of milliseconds, then random ones."""
    value = int(at.timestamp() * 1000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
    return str(UUID(int=value))
