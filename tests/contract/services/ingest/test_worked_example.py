"""The worked example of one order, from what the SDK sent to what profile reads, byte by byte."""

from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader, Refused, read
from services.ingest.messages import interaction_message
from shared.contracts.interactions import Interaction
from shared.runtime.records import PlainRecord

SECRET = b"the example's secret"
HEADERS = [("source", b"web-shop"), ("received_at", b"2026-11-22T09:30:01.420Z")]
RAW = b"""{"type": "track", "event": "Order Completed", "messageId": "01a20297-52a2-7abc-8def-000000000001",
 "userId": "u-17", "anonymousId": "an-7",
 "originalTimestamp": "2026-11-22T09:30:01.250Z", "sentAt": "2026-11-22T09:30:01.300Z",
 "properties": {"order_id": "o-900", "total": 35.50, "currency": "EUR",
 "products": [{"product_id": "p-1", "price": 17.75, "quantity": 2}]},
 "context": {"locale": "de-AT", "timezone": "Europe/Vienna"}}"""

USER = "d3498939b95b862ac0f3d4c25f9001da"
INTERACTION = (
    b'{"message_id":"01a20297-52a2-7abc-8def-000000000001","source":"web-shop","name":"Order Completed",'
    b'"family":"order","occurred_at":"2026-11-22T09:30:01.370000Z","received_at":"2026-11-22T09:30:01.420000Z",'
    b'"identities":[{"id":"d3498939b95b862ac0f3d4c25f9001da","kind":"user_id","value":"u-17"},'
    b'{"id":"ac7666ffc1731b5248925c7454f6b0f8","kind":"anonymous_id","value":"an-7"}],'
    b'"payload":{"order_id":"o-900","total":{"amount":"35.50","currency":"EUR"},'
    b'"lines":[{"product_id":"p-1","quantity":"2","price":"17.75"}]},'
    b'"context":{"locale":"de-AT","timezone":"Europe/Vienna"},'
    b'"dedupe_key":"01a2029752a292e31698ac8d6dad3d4a","payload_hash":"2447c684dfd7b14cdca16c6cbf4b1b27"}'
)


def sent(value: bytes, offset: int = 41) -> PlainRecord:
    return PlainRecord(
        topic="crm.raw-events.v1", partition=3, offset=offset, timestamp=1_795_339_801_500, value=value, headers=HEADERS
    )


def reading(value: bytes, offset: int = 41) -> Interaction | Refused:
    (found,) = read(sent(value, offset), Reader(Identities(SECRET)))
    return found


def test_the_order_of_the_example_becomes_this_interaction() -> None:
    found = reading(RAW)
    assert isinstance(found, Interaction)
    message = interaction_message(found)
    assert message.value == INTERACTION
    assert message.key == USER.encode()
    assert message.headers == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"01a2029752a292e31698ac8d6dad3d4a"),
        ("ce_source", b"rapport/ingest"),
        ("ce_type", b"interaction.accepted.v1"),
        ("ce_time", b"2026-11-22T09:30:01.370000+00:00"),
        ("ce_subject", USER.encode()),
        ("crm_accepted_at", b"2026-11-22T09:30:01.420000+00:00"),
    ]


def test_the_repeated_call_has_the_same_key_and_hash() -> None:
    again = reading(RAW.replace(b"09:30:01.300Z", b"09:30:07.900Z"), offset=57)
    assert isinstance(again, Interaction)
    assert (again.dedupe_key, again.payload_hash) == (
        "01a2029752a292e31698ac8d6dad3d4a",
        "2447c684dfd7b14cdca16c6cbf4b1b27",
    )


def test_the_same_id_with_another_total_has_another_hash() -> None:
    other = reading(RAW.replace(b"35.50", b"99"))
    assert isinstance(other, Interaction)
    assert other.dedupe_key == "01a2029752a292e31698ac8d6dad3d4a"
    assert other.payload_hash != "2447c684dfd7b14cdca16c6cbf4b1b27"


def test_a_total_in_words_is_refused_with_its_path_and_bytes() -> None:
    bad = RAW.replace(b"35.50", b'"a lot"')
    found = reading(bad)
    assert isinstance(found, Refused)
    problem = found.problem
    assert (problem.stage, problem.reason, problem.path) == ("payload", "not_a_number", "/properties/total")
    assert (problem.expected, problem.found) == ("a number", "string")
    assert (found.original, found.source) == (bad, "web-shop")
