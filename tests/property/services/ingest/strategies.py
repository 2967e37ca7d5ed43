"""Records as anybody might send them: bytes, headers, JSON of any shape, and almost valid calls."""

import json
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import fields

from services.ingest.domain.sources import Source, Strictness
from shared.contracts.catalogue import FAMILY_OF
from shared.contracts.payloads import PAYLOADS

names = st.sampled_from(
    [
        "source",
        "received_at",
        "crm_type",
        "crm_message_id",
        "content-type",
        "Content-Type",
        "ce_id",
        "ce_source",
        "ce_specversion",
        "ce_type",
        "CE_x",
    ]
)
header_values = st.one_of(
    st.binary(max_size=40),
    st.none(),
    st.sampled_from(
        [
            b"application/cloudevents+json",
            b"application/cloudevents-batch+json",
            b"application/json",
            b"application/vnd.snowplow",
            b"track",
            b"identify",
            b"1.0",
            b"web-shop",
            b"2026-11-22T09:30:00Z",
        ]
    ),
)
headers: st.SearchStrategy[Any] = st.lists(st.tuples(names | st.text(max_size=12), header_values), max_size=8)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["1e400", "NaN", "\u0000", "2026-11-22T09:30:00Z", "2026-11-22T09:30:00", "0001-01-01T00:00:00+14:00"]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)

_KINDS = st.sampled_from(["track", "identify", "page", "screen", "group", "alias", "x"]) | scalars
_EVENTS = st.sampled_from(["Order Completed", "Consent Given", "Mug Broken", *FAMILY_OF]) | scalars
_MEMBERS = sorted({one.name for kind in PAYLOADS.values() for one in fields(kind)} | {"revenue", "orderId", "crmId"})
_SAID = scalars | st.sampled_from(
    ["nps", "inbound", "2026-11-22", "eva@example.com", "+43158858123", "01 58858123", "EUR"]
)
payloads = st.dictionaries(st.sampled_from(_MEMBERS), _SAID, max_size=8)
people = st.fixed_dictionaries(
    {}, optional={"email": _SAID, "phone": _SAID, "crm_id": _SAID, "address": st.fixed_dictionaries({"country": _SAID})}
)
contexts = st.fixed_dictionaries(
    {},
    optional={
        "locale": scalars | st.sampled_from(["de-AT", "en_us", "xx"]),
        "timezone": scalars | st.sampled_from(["Europe/Vienna", "Mars/Olympus"]),
        "traits": people,
        "device": st.fixed_dictionaries({"type": st.sampled_from(["ios", "android", "x"]) | scalars, "id": _SAID}),
        "externalIds": st.lists(st.fixed_dictionaries({"id": _SAID, "type": scalars | st.just("email")}), max_size=3),
    },
)
_ORDERS = st.fixed_dictionaries(
    {},
    optional={
        "total": scalars,
        "currency": scalars,
        "order_id": scalars,
        "purpose": scalars,
        "channel": scalars,
        "products": st.lists(
            st.fixed_dictionaries({}, optional={"price": scalars, "quantity": scalars}) | scalars, max_size=2
        ),
    },
)
calls = st.fixed_dictionaries(
    {"type": _KINDS},
    optional={
        "event": _EVENTS,
        "userId": scalars,
        "anonymousId": scalars,
        "messageId": scalars,
        "groupId": scalars,
        "previousId": scalars,
        "name": scalars,
        "timestamp": scalars,
        "originalTimestamp": scalars,
        "sentAt": scalars,
        "properties": _ORDERS | payloads | values,
        "traits": people | payloads | values,
        "context": contexts | values,
    },
)
batches = st.fixed_dictionaries(
    {"batch": st.lists(calls | values, max_size=4)},
    optional={"context": values, "sentAt": scalars, "integrations": values},
)
cloudevents = st.dictionaries(
    st.sampled_from(
        ["specversion", "id", "source", "type", "subject", "time", "data", "data_base64", "anonymousid", "x", "X"]
    ),
    values | st.sampled_from(["1.0", "/shop", "e30="]),
)


def written(value: Any) -> bytes:
    """Write JSON as Python's encoder does: NaN and lone surrogates included."""
    return json.dumps(value).encode()


record_values = st.one_of(
    st.binary(max_size=200),
    values.map(written),
    calls.map(written),
    batches.map(written),
    cloudevents.map(written),
    st.lists(cloudevents, max_size=3).map(written),
    st.text(alphabet='[]{}":,01eE.-ntfu\\NaI ', max_size=60).map(str.encode),
    st.none(),
)

sources = st.builds(
    Source,
    name=st.just("web-shop"),
    kind=st.just("server"),
    strictness=st.sampled_from(Strictness),
    region=st.sampled_from([None, "AT", "US"]),
    zone=st.sampled_from([None, "Europe/Vienna"]),
    paused=st.booleans(),
)
