"""Laws of reading: nothing raises, nothing is lost, and nothing that a retry changes changes an event's identity."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.identities import Identities
from services.ingest.domain.problems import Reason
from services.ingest.domain.reading import Reader, Refused, read
from services.ingest.domain.sources import Source
from services.ingest.handlers import IngestHandler
from services.ingest.messages import interaction_message
from shared.contracts.catalogue import Family
from shared.contracts.codec import decode, encode
from shared.contracts.identities import strength
from shared.contracts.interactions import Interaction
from shared.contracts.payloads import PAYLOADS
from shared.runtime.handler import Applied, Dead
from shared.runtime.records import Received
from tests.property.services.ingest.strategies import calls, contexts, headers, record_values, sources, written
from tests.unit.services.ingest.memory import InMemoryQuarantine, InMemorySourceFuse
from tests.unit.services.ingest.records import APPENDED, READER, raw

instants = st.datetimes(datetime(1970, 1, 1), datetime(2026, 11, 22), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
ids = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12).map("id-{}".format)


@given(value=record_values, headers=headers)
def test_every_event_is_accepted_or_refused_with_its_reason_and_bytes(value: bytes | None, headers: Any) -> None:
    record = raw(value, headers)
    readings = read(record, READER)
    if not readings:
        assert json.loads(value or b"") in ([], {"batch": []}) or json.loads(value or b"").get("batch") == []
    for reading in readings:
        if isinstance(reading, Refused):
            assert reading.problem.reason.value
            assert (reading.original is None) is (value is None)
            assert (reading.original or b"") in (value or b"")
            assert all(text.isprintable() for text in (reading.problem.path, reading.problem.found, reading.source))
        else:
            assert decode(Interaction, interaction_message(reading).value or b"").identities == reading.identities
    assert read(record, READER) == readings or any(isinstance(one, Interaction) for one in readings)


@given(value=record_values, headers=headers, source=sources)
def test_whoever_reads_a_record_again_reads_the_same(value: bytes | None, headers: Any, source: Source) -> None:
    record = raw(value, headers)

    def written_out() -> list[Any]:
        reader = Reader(Identities(b"a secret of the tests"), lambda _name: source)
        return [
            one if isinstance(one, Refused) else (interaction_message(one).value, interaction_message(one).headers)
            for one in read(record, reader)
        ]

    assert written_out() == written_out()


@given(bad=record_values.filter(lambda value: value is not None), place=st.integers(0, 2), shared=contexts)
def test_a_good_event_beside_any_other_is_accepted(bad: bytes, place: int, shared: Any) -> None:
    good = [written({**GOOD, "messageId": f"good-{number}"}) for number in range(2)]
    # What stands between the brackets may close them, and so end the batch: bytes that could are another test's.
    texts = [*good[:place], _confined(bad), *good[place:]]
    value = b'{"context": %s, "batch": [%s]}' % (written(_valid(shared)), b",".join(texts))
    accepted = [one.message_id for one in read(raw(value), READER) if isinstance(one, Interaction)]
    assert [one for one in accepted if one.startswith("good-")] == ["good-0", "good-1"]


@given(call=calls, source=sources)
def test_an_accepted_event_is_read_into_the_payload_of_its_family(call: dict[str, Any], source: Source) -> None:
    reader = Reader(Identities(b"a secret of the tests"), lambda _name: source)
    (reading,) = read(raw(written({**call, "userId": "u-17"})), reader)
    if isinstance(reading, Refused):
        assert (reading.problem.reason is Reason.SOURCE_PAUSED) is source.paused
        return
    assert reading.identities[0].kind == "user_id"
    assert list(reading.identities) == sorted(reading.identities, key=strength)
    assert len({one.id for one in reading.identities}) == len(reading.identities)
    kind = PAYLOADS.get(Family(reading.family))
    if kind is not None:
        decode(kind, reading.payload)


@given(value=record_values, headers=headers)
def test_the_handler_answers_each_event_once_and_says_the_same_again(value: bytes | None, headers: Any) -> None:
    handler = IngestHandler(READER, 4, InMemoryQuarantine(), InMemorySourceFuse())
    record = raw(value, headers)

    def decided() -> Any:
        events = [Received(record, index, event) for index, event in enumerate(handler.decode(record))]
        return handler.decide(events, (), None, APPENDED)

    first, again = decided(), decided()
    assert first.direct == again.direct
    assert first.outcomes == again.outcomes
    assert len(first.direct) == len(first.outcomes)
    assert all(isinstance(outcome, Applied | Dead) for outcome in first.outcomes)
    assert len(first.rows.entries) == sum(isinstance(outcome, Dead) for outcome in first.outcomes)
    assert [message.topic for message in first.direct] == [
        "crm.interactions.v1" if isinstance(outcome, Applied) else "crm.raw-events.v1.dlq" for outcome in first.outcomes
    ]


@given(value=record_values)
def test_what_is_published_holds_no_number_that_is_not_exact(value: bytes | None) -> None:
    for reading in read(raw(value), READER):
        if isinstance(reading, Interaction):
            for said in (reading.payload, reading.context):
                assert encode(decode(dict[str, Any], said)) == bytes(said)


@given(
    message_id=ids | st.just("01a20297-52a2-7abc-8def-000000000001"),
    original=st.none() | instants,
    said=st.none() | instants,
    delays=st.tuples(*[st.timedeltas(timedelta(0), timedelta(days=10_000))] * 2),
    received=st.tuples(instants, instants),
    amount=st.decimals(-(10**9), 10**9, places=2),
)
def test_a_retry_changes_neither_dedupe_key_nor_payload_hash(
    message_id: str, original: Any, said: Any, delays: Any, received: Any, amount: Any
) -> None:
    found = []
    for attempt in (0, 1):
        call = {
            "type": "track",
            "event": "Order Completed",
            "userId": "u-17",
            "messageId": message_id,
            "sentAt": ((original or APPENDED) + delays[attempt]).isoformat(),
            "receivedAt": received[attempt].isoformat(),
            "timestamp": None if said is None else said.isoformat(),
            "originalTimestamp": None if original is None else original.isoformat(),
            "properties": {"total": str(amount)},
        }
        note = (APPENDED + timedelta(seconds=attempt)).isoformat().encode()
        record = raw(call, [("received_at", note)], offset=attempt, at=APPENDED + timedelta(minutes=attempt))
        (reading,) = read(record, READER)
        assert isinstance(reading, Interaction)
        found.append((reading.dedupe_key, reading.payload_hash, reading.message_id, reading.identities))
    assert found[0] == found[1]


@given(items=st.lists(calls, max_size=5))
def test_a_batch_reads_as_its_items_do_alone(items: list[dict[str, Any]]) -> None:
    # An item without an id is named by its place, which differs; so each gets one here.
    named = [{**item, "messageId": f"m-{number}"} for number, item in enumerate(items)]
    whole = b'{"batch": [%s]}' % b",".join(written(item) for item in named)
    batch = read(raw(whole), READER)
    alone = [read(raw(item), READER)[0] for item in named]
    assert [_essence(one) for one in batch] == [_essence(one) for one in alone]


GOOD = {"type": "track", "event": "Order Completed", "userId": "u-17", "properties": {"total": 12.50}}


def _confined(bad: bytes) -> bytes:
    """Keep bytes that are JSON, or at least cannot close what they stand in; others become a string of theirs."""
    try:
        json.loads(bad)
    except (ValueError, RecursionError):
        return b'"' + bad.translate(None, b'"\\') + b'"'
    return bad


def _valid(context: Any) -> Any:
    """Leave out what is no hint or no JSON: what is wrong in what a batch says about all refuses them all."""
    plain = {
        name: value for name, value in context.items() if isinstance(value, str) or name not in ("locale", "timezone")
    }
    try:
        msgspec.json.decode(written(plain))
    except msgspec.DecodeError:
        return {}
    return {} if b"\\u0000" in written(plain) else plain


def _essence(reading: Any) -> Any:
    return (
        reading.problem
        if isinstance(reading, Refused)
        else (reading.payload_hash, reading.occurred_at, bytes(reading.context))
    )
