"""What ingest says on Kafka: an interaction for what it accepted, a dead letter for what it did not."""

from services.ingest.domain.reading import Refused
from services.ingest.domain.replaying import REPLAY_HEADER
from shared.contracts.codec import encode
from shared.contracts.envelope import SPEC_VERSION, Headers
from shared.contracts.interactions import Interaction
from shared.runtime.handler import Message
from shared.runtime.records import Record

SOURCE = b"rapport/ingest"
ACCEPTED = b"interaction.accepted.v1"

LARGEST_DEAD_LETTER = 900_000
"""Bytes that surely fit into a message; brokers take 1 MiB with all headers unless told otherwise."""


def interaction_message(interaction: Interaction) -> Message:
    """Write an interaction; the same event always gives the same `ce_id`."""
    customer = interaction.identities[0].id.encode()
    # As envelope.headers() would, without encoding each time what never changes.
    headers: Headers = [
        ("ce_specversion", SPEC_VERSION),
        ("ce_id", interaction.dedupe_key.encode()),
        ("ce_source", SOURCE),
        ("ce_type", ACCEPTED),
        ("ce_time", interaction.occurred_at.isoformat().encode()),
        ("ce_subject", customer),
        ("crm_accepted_at", interaction.received_at.isoformat().encode()),
    ]
    return Message(customer, encode(interaction), headers)


def dead_letter(record: Record, index: int, refused: Refused) -> Message:
    """Write a refused event: its own bytes and the record's headers, then what is wrong with it.

    Bytes that no message can carry are left out, which `crm_left_out` says; the quarantine has them. A replay's ticket
    is left out too: who may read dead letters must not be able to settle entries.
    """
    problem = refused.problem
    why: Headers = [
        ("crm_stage", problem.stage.encode()),
        ("crm_reason", problem.reason.encode()),
        ("crm_path", problem.path.encode()),
        ("crm_expected", problem.expected.encode()),
        ("crm_found", problem.found.encode()),
        ("crm_topic", record.topic.encode()),
        ("crm_partition", str(record.partition).encode()),
        ("crm_offset", str(record.offset).encode()),
        ("crm_index", str(index).encode()),
    ]
    key, value = record.key or b"", refused.original
    headers = [(name, text) for name, text in record.headers if name != REPLAY_HEADER]
    size = len(key) + sum(len(name) + len(text or b"") for name, text in headers)
    if size > LARGEST_DEAD_LETTER:
        return Message(b"", None, [*why, ("crm_left_out", b"key, value, headers")])
    if size + len(value or b"") > LARGEST_DEAD_LETTER:
        return Message(key, None, [*headers, *why, ("crm_left_out", b"value")])
    return Message(key, value, [*headers, *why])
