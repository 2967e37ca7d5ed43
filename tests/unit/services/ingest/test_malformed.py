"""The demo's malformed records are what they say they are."""

import pytest

from shared.demo.malformed import MALFORMED, Malformed
from tests.unit.services.ingest.records import refused, verdict


@pytest.mark.parametrize("record", MALFORMED, ids=lambda record: record.name)
def test_a_malformed_record_is_refused_for_its_own_reason(record: Malformed) -> None:
    assert verdict(record.value, record.headers) == (record.stage, record.reason, record.path)
    assert refused(record.value, record.headers).original == record.value


def test_each_of_the_seven_is_broken_in_its_own_way() -> None:
    assert len(MALFORMED) == 7
    assert len({(record.stage, record.reason, record.path) for record in MALFORMED}) == 7
