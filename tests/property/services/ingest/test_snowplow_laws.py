"""Laws of Snowplow's shape: nothing raises, nothing is lost, and an event says the same however it is written."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.reading import Refused, read
from services.ingest.domain.shapes.snowplow import CONTENT_TYPE, from_query
from shared.contracts.interactions import Interaction
from tests.property.services.ingest.strategies import scalars, values, written
from tests.unit.services.ingest.records import READER, raw

SNOWPLOW = [("content-type", CONTENT_TYPE)]
UNSTRUCT = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"

_schemas = st.sampled_from(["iglu:a/b/jsonschema/1-0-0", "iglu:a/order_completed/jsonschema/1-0-0", "x"]) | scalars
_described = st.fixed_dictionaries({}, optional={"schema": _schemas, "data": values}) | values
_outer = st.fixed_dictionaries({}, optional={"schema": st.just(UNSTRUCT) | scalars, "data": _described}) | values
_plain = _outer.map(lambda value: written(value).decode())
_encoded = _plain.map(lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))
_times = st.integers(-1, 10**16).map(str) | scalars
events = st.fixed_dictionaries(
    {"e": st.sampled_from(["pv", "pp", "ue", "se", "tr", "ti", "xx"]) | scalars},
    optional={
        **dict.fromkeys(("uid", "duid", "eid", "url", "page", "refr", "lang", "tz", "aid", "tv"), scalars),
        **dict.fromkeys(("dtm", "stm", "ttm"), _times),
        **dict.fromkeys(("se_ca", "se_ac", "se_va", "tr_tt", "tr_cu", "ti_pr", "pp_mix"), scalars),
        **dict.fromkeys(("ue_pr", "co"), _plain | values),
        **dict.fromkeys(("ue_px", "cx"), _encoded | scalars),
    },
)
documents = st.fixed_dictionaries({"data": st.lists(events | values, max_size=4) | values}, optional={"schema": values})
bodies = st.one_of(documents.map(written), events.map(written), values.map(written), st.binary(max_size=200))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(value=bodies)
def test_every_event_is_accepted_or_refused_with_its_reason_and_bytes(value: bytes) -> None:
    readings = read(raw(value, SNOWPLOW), READER)
    if not readings:
        assert json.loads(value)["data"] == []
    for reading in readings:
        if isinstance(reading, Refused):
            assert reading.problem.reason.value
            assert reading.original is not None
            assert reading.original in value
            assert reading.problem.path.isprintable()


@given(found=st.lists(events, max_size=4))
def test_a_document_reads_as_its_events_do_alone(found: list[dict[str, Any]]) -> None:
    named = [{**event, "eid": f"m-{number}"} for number, event in enumerate(found)]
    whole = read(raw(b'{"schema": "", "data": [%s]}' % b",".join(map(written, named)), SNOWPLOW), READER)
    alone = [read(raw(written(event), SNOWPLOW), READER)[0] for event in named]
    assert [_essence(one) for one in whole] == [_essence(one) for one in alone]


@given(pairs=st.dictionaries(texts, texts, max_size=6))
def test_a_query_string_holds_the_same_pairs_as_its_json(pairs: dict[str, str]) -> None:
    assert json.loads(from_query(urlencode(pairs).encode())) == pairs


@given(query=st.binary(max_size=100))
def test_any_query_string_is_read(query: bytes) -> None:
    value = from_query(query)
    assert len(read(raw(value, SNOWPLOW), READER)) == 1
    assert read(raw(b'{"data": [%s]}' % value, SNOWPLOW), READER)


def _essence(reading: Any) -> Any:
    if isinstance(reading, Interaction):
        return reading.payload_hash, reading.occurred_at, bytes(reading.context)
    return reading.problem, reading.original
