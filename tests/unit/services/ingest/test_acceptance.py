"""Who an event is about, when it happened, and what it is called."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.domain.reading import read
from shared.contracts.identities import identity_id
from shared.contracts.interactions import Interaction
from shared.runtime.records import PlainRecord
from tests.unit.services.ingest.records import (
    APPENDED,
    READER,
    accepted,
    context,
    identities,
    raw,
    refused,
    track,
    verdict,
)


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        "",
        "  ",
        "0",
        "000",
        "0000-0000",
        "-",
        "-1",
        "null",
        "NULL",
        "None",
        "n/a",
        "Unknown",
        "undefined",
        "ANONYMOUS",
        "guest",
        " guest ",
        0,
    ],
)
def test_a_value_that_stands_for_nobody_identifies_nobody(nothing: Any) -> None:
    assert identities(accepted(track(userId=nothing, anonymousId="an-7"))) == [("anonymous_id", "an-7")]
    assert identities(accepted(track(userId="u-17", anonymousId=nothing))) == [("user_id", "u-17")]
    assert verdict(track(userId=nothing, anonymousId=nothing))[:2] == ("identity", "no_identity")


def test_null_empty_and_absent_ids_are_one() -> None:
    without = track(anonymousId="an-7")
    del without["userId"]
    same = [accepted(track(userId=nothing, anonymousId="an-7")) for nothing in (None, "")] + [accepted(without)]
    assert len({bytes(json.dumps(identities(one)), "utf-8") for one in same}) == 1
    assert len({one.payload_hash for one in same}) == 1


def test_a_number_identifies_as_its_digits_do() -> None:
    assert accepted(track(userId=17)).identities == accepted(track(userId="17")).identities


def test_an_identity_is_named_by_the_keyed_hash_alone() -> None:
    found = accepted(track(userId="u-17"))
    assert found.identities[0].id == identity_id(b"a secret of the tests", "user_id", "u-17")


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({}, "2026-11-22T09:30:01.420000+00:00"),
        (
            {"originalTimestamp": "2026-11-22T09:30:01.250Z", "sentAt": "2026-11-22T09:30:01.300Z"},
            "2026-11-22T09:30:01.370000+00:00",
        ),
        (
            {
                "originalTimestamp": "2001-01-01T00:00:00Z",
                "sentAt": "2001-01-01T01:00:00Z",
                "timestamp": "1999-01-01T00:00:00Z",
            },
            "2026-11-22T08:30:01.420000+00:00",
        ),
        ({"timestamp": "2020-01-01T01:00:00+01:00"}, "2020-01-01T00:00:00+00:00"),
        (
            {"timestamp": "2020-01-01T00:00:00Z", "originalTimestamp": "2021-01-01T00:00:00Z"},
            "2020-01-01T00:00:00+00:00",
        ),
        ({"originalTimestamp": "2021-01-01T00:00:00Z"}, "2021-01-01T00:00:00+00:00"),
        ({"timestamp": "2026-11-22T09:35:01.420Z"}, "2026-11-22T09:35:01.420000+00:00"),
        ({"timestamp": "2026-11-22T09:35:01.421Z"}, "2026-11-22T09:35:01.420000+00:00"),
        ({"timestamp": "2026-11-23T09:30:01.420Z"}, "2026-11-22T09:35:01.420000+00:00"),
        ({"timestamp": "1970-01-01T00:00:00Z"}, "1970-01-01T00:00:00+00:00"),
    ],
)
def test_the_time_of_an_event_is_corrected_and_never_taken_too_far(times: dict[str, str], expected: str) -> None:
    assert accepted(track(**times)).occurred_at.isoformat() == expected


_AHEAD, _BEFORE = "at most a day after it was received", "1970 or later"


@pytest.mark.parametrize(
    ("times", "path", "expected", "found"),
    [
        ({"timestamp": "2026-11-23T09:30:01.421Z"}, "/timestamp", _AHEAD, "days after that"),
        ({"timestamp": "2027-01-22T09:30:01Z"}, "/timestamp", _AHEAD, "months after that"),
        ({"originalTimestamp": "2030-01-22T09:30:01Z"}, "/originalTimestamp", _AHEAD, "years after that"),
        ({"timestamp": "9999-12-31T23:59:59Z"}, "/timestamp", _AHEAD, "centuries after that"),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "/timestamp", _BEFORE, "less than a day before that"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "/timestamp", _BEFORE, "centuries before that"),
        (
            {"originalTimestamp": "2026-11-24T00:00:00Z", "sentAt": "2026-11-22T00:00:00Z"},
            "/originalTimestamp",
            _AHEAD,
            "days after that",
        ),
        (
            {"originalTimestamp": "0001-01-01T00:00:00Z", "sentAt": "9999-12-31T23:59:59Z"},
            "/originalTimestamp",
            _BEFORE,
            "centuries before that",
        ),
        (
            {"originalTimestamp": "9999-12-31T23:59:59Z", "sentAt": "0001-01-01T00:00:00Z"},
            "/originalTimestamp",
            _AHEAD,
            "centuries after that",
        ),
    ],
)
def test_a_time_that_is_far_off_is_told_by_how_far_and_never_by_itself(
    times: dict[str, str], path: str, expected: str, found: str
) -> None:
    told = refused(track(**times)).problem
    assert (told.stage.value, told.reason.value, told.path) == ("envelope", "out_of_range", path)
    assert (told.expected, told.found) == (expected, found)


def test_a_clock_that_is_years_off_is_corrected_if_it_also_says_when_it_sent() -> None:
    times = {"originalTimestamp": "2031-01-01T00:00:00Z", "sentAt": "2031-01-01T00:00:02Z"}
    assert accepted(track(**times)).occurred_at == APPENDED - timedelta(seconds=2)


def test_history_may_be_imported() -> None:
    assert accepted(track(timestamp="1997-01-01T00:00:00Z")).occurred_at == datetime(1997, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"2026-11-22T09:30:00Z", datetime(2026, 11, 22, 9, 30, tzinfo=UTC)),
        (b"2026-11-22T10:30:00+01:00", datetime(2026, 11, 22, 9, 30, tzinfo=UTC)),
        (b"2026-11-22T09:30:00", APPENDED),
        (b"soon", APPENDED),
        (b"\xff", APPENDED),
        (b"", APPENDED),
        (b"9999-12-31T23:59:59Z", APPENDED),
        (b"0001-01-01T00:00:00Z", APPENDED),
        (b"2026-11-22T09:36:00Z", APPENDED),
    ],
)
def test_the_gateway_tells_when_an_event_was_received_unless_the_log_belies_it(
    header: bytes, expected: datetime
) -> None:
    assert accepted(track(), [("received_at", header)]).received_at == expected


@pytest.mark.parametrize("timestamp", [-1, 0, 2**63 - 1])
def test_no_timestamp_of_a_record_is_too_odd(timestamp: int) -> None:
    record = PlainRecord(topic="t", partition=0, offset=0, timestamp=timestamp, value=json.dumps(track()).encode())
    (found,) = read(record, READER)
    assert isinstance(found, Interaction)
    assert datetime(1970, 1, 1, tzinfo=UTC) <= found.received_at <= datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "source"),
    [((), "unknown"), ([("source", b"")], "unknown"), ([("source", b"a"), ("source", "bö".encode())], "bö")],
)
def test_the_source_is_what_the_header_says(headers: list[tuple[str, bytes]], source: str) -> None:
    assert accepted(track(), headers).source == source


@pytest.mark.parametrize(
    ("source", "reason"), [(b"\xff", "not_utf8"), (b"a\0b", "bad_character"), (b"s" * 256, "bad_character")]
)
def test_a_source_that_cannot_be_stored_is_refused(source: bytes, reason: str) -> None:
    found = refused(track(), [("source", source)])
    assert (found.problem.reason.value, found.problem.path, found.source) == (reason, "/headers/source", "unknown")


def test_an_event_without_id_is_named_by_its_place_in_the_log() -> None:
    batch = {"batch": [track(messageId=None), track(messageId="")]}

    def ids(record: PlainRecord) -> list[str]:
        return [one.message_id for one in read(record, READER) if isinstance(one, Interaction)]

    assert ids(raw(batch)) == ids(raw(batch))
    named = ids(raw(batch)) + ids(raw(batch, offset=1)) + ids(raw(batch, at=APPENDED + timedelta(milliseconds=1)))
    assert len(set(named)) == 6


def test_context_is_kept_whole_and_canonical() -> None:
    value = b'{"type": "track", "event": "X", "userId": "u", "context": {"b" : 1.50, "a": "\\u00e4"}}'
    assert bytes(accepted(value).context) == '{"a":"ä","b":1.50}'.encode()
    large = {"page": {"url": "x" * 5000}}
    assert context(accepted(track(context=large))) == large
    assert context(accepted(track())) == {}
