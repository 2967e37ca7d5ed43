"""The demo's customer: what is told of her, and when her merge with another and its undoing were as they must be."""

import json
from datetime import UTC, datetime

import pytest

from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader, Refused, read
from shared.demo.checks import merge_check
from shared.demo.person import Undone
from shared.demo.story import Story
from shared.runtime.records import PlainRecord

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_her_life_is_taken_as_it_is_and_leads_from_a_visitor_to_her() -> None:
    told = list(Story("run", NOW).life("00004"))
    assert len({event.message_id for event in told}) == len(told)
    reader, kinds = Reader(Identities(b"a secret of tests only")), []
    for offset, event in enumerate(told):
        stamp = int(NOW.timestamp() * 1000)
        record = PlainRecord(
            topic="crm.raw-events.v1", partition=0, offset=offset, timestamp=stamp, value=event.value,
            headers=[("source", b"cdnow")],
        )  # fmt: skip
        (interaction,) = read(record, reader)
        assert not isinstance(interaction, Refused), interaction
        assert interaction.occurred_at < NOW
        kinds.append({one.kind for one in interaction.identities})
    assert kinds == [{"anonymous_id"}, *[{"user_id", "anonymous_id"}] * (len(told) - 1)]
    assert "userId" not in json.loads(told[0].value)


@pytest.mark.parametrize(
    ("as_one", "as_before", "holds"), [(6, True, True), (6, False, False), (4, True, False), (7, True, False)]
)
def test_two_customers_must_have_been_one_and_be_as_they_were(as_one: int, as_before: bool, holds: bool) -> None:  # noqa: FBT001 - a table's columns
    check = merge_check(Undone((), (4, 2), as_one, as_before))
    assert (check.holds, check.expected == check.found) == (holds, holds)
