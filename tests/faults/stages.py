"""The five services as stages of the way of an event."""

from shared.contracts.topics import (
    ACTIVITIES,
    CUSTOMERS,
    INTERACTIONS,
    OUTREACH,
    RAW_EVENTS,
    RAW_EVENTS_DLQ,
    SEGMENT_CHANGES,
    SEGMENT_MEMBERSHIPS,
    Topic,
)
from shared.runtime.schema_revision import history_of
from tests.faults.subjects import Stage


def _stage(service: str, inputs: tuple[Topic, ...], outputs: tuple[Topic, ...]) -> Stage:
    return Stage(service, f"services.{service}", history_of(service), inputs, outputs)


INGEST = _stage("ingest", (RAW_EVENTS,), (INTERACTIONS, RAW_EVENTS_DLQ))
PROFILE = _stage("profile", (INTERACTIONS,), (CUSTOMERS, ACTIVITIES))
SEGMENTER = _stage("segmenter", (CUSTOMERS, ACTIVITIES), (SEGMENT_CHANGES, SEGMENT_MEMBERSHIPS))
ENGAGEMENT = _stage("engagement", (SEGMENT_CHANGES, CUSTOMERS), (OUTREACH,))
METRICS = _stage("metrics", (ACTIVITIES, CUSTOMERS, SEGMENT_CHANGES, OUTREACH), ())
ALL = (INGEST, PROFILE, SEGMENTER, ENGAGEMENT, METRICS)
