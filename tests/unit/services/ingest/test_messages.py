"""What ingest says: interactions under names that reveal nobody, and dead letters that fit into a message."""

from datetime import datetime

from services.ingest.handlers import IngestHandler
from services.ingest.messages import dead_letter, interaction_message
from shared.contracts import envelope
from shared.contracts.codec import decode
from shared.contracts.interactions import Interaction
from shared.contracts.partitioning import lane_of
from shared.runtime.handler import APPLIED, Dead
from shared.runtime.records import Received
from tests.unit.services.ingest.memory import InMemoryQuarantine, InMemorySourceFuse
from tests.unit.services.ingest.records import APPENDED, READER, accepted, order, raw, refused, track

HEADERS = [("source", b"web-shop"), ("x", b"\xff")]


def test_an_interaction_carries_the_headers_that_the_envelope_has() -> None:
    found = accepted(track(anonymousId="an-7"))
    message = interaction_message(found)
    expected = envelope.headers(
        id=found.dedupe_key,
        source="rapport/ingest",
        type="interaction.accepted.v1",
        time=found.occurred_at,
        subject=found.identities[0].id,
    )
    assert message.headers == [*expected, ("crm_accepted_at", APPENDED.isoformat().encode())]
    assert datetime.fromisoformat(message.headers[-1][1].decode()) == found.received_at
    assert message.key == found.identities[0].id.encode()
    assert decode(Interaction, message.value or b"") == decode(Interaction, interaction_message(found).value or b"")


def test_neither_key_nor_headers_name_a_person() -> None:
    message = interaction_message(accepted(track(userId="eva@example.com", messageId="eva@example.com/1")))
    assert b"eva" not in message.key + b"".join(value for _, value in message.headers)


def test_a_dead_letter_is_the_event_with_its_headers_and_why_it_died() -> None:
    record = raw(order(total="a lot"), HEADERS, offset=41)
    letter = dead_letter(record, 3, refused(order(total="a lot"), HEADERS))
    assert (letter.key, letter.value) == (b"", record.value)
    assert letter.headers == [
        *HEADERS,
        ("crm_stage", b"payload"),
        ("crm_reason", b"not_a_number"),
        ("crm_path", b"/properties/total"),
        ("crm_expected", b"a number"),
        ("crm_found", b"string"),
        ("crm_topic", b"crm.raw-events.v1"),
        ("crm_partition", b"1"),
        ("crm_offset", b"41"),
        ("crm_index", b"3"),
    ]


def test_a_dead_letter_gives_no_replays_ticket_away() -> None:
    record = raw(order(total="a lot"), [*HEADERS, ("crm_replay", b"7:" + b"0" * 32)])
    letter = dead_letter(record, 0, refused(order(total="a lot"), HEADERS))
    assert "crm_replay" not in dict(letter.headers)


def test_a_dead_letter_leaves_out_what_no_message_could_carry() -> None:
    large = b"x" * 1_000_000  # with its headers more than a broker takes by default
    value = dead_letter(raw(large), 0, refused(large))
    assert (value.value, value.headers[-1]) == (None, ("crm_left_out", b"value"))
    headers = dead_letter(raw(b"x", [("h", large)]), 0, refused(b"x"))
    assert (headers.value, headers.headers[-1]) == (None, ("crm_left_out", b"key, value, headers"))
    assert headers.headers[0] == ("crm_stage", b"parse")


async def test_the_handler_sends_each_event_to_the_lane_of_its_strongest_identity() -> None:
    handler = IngestHandler(READER, 4, InMemoryQuarantine(), InMemorySourceFuse())
    record = raw({"batch": [track(userId=f"u-{number}", anonymousId="an-7") for number in range(9)] + [1]})
    events = [Received(record, index, event) for index, event in enumerate(handler.decode(record))]
    decision = handler.decide(events, (), None, APPENDED)
    for direct in decision.direct[:-1]:
        assert direct.topic == "crm.interactions.v1"
        assert direct.lane == lane_of(direct.message.key.decode(), 4)
    assert len({direct.lane for direct in decision.direct[:-1]}) > 1
    assert (decision.direct[-1].topic, decision.direct[-1].lane) == ("crm.raw-events.v1.dlq", record.partition)
    assert list(decision.outcomes[:-1]) == [APPLIED] * 9
    assert isinstance(decision.outcomes[-1], Dead)
    assert [(entry.index, entry.at) for entry in decision.rows.entries] == [(9, APPENDED)]
