"""The answer matrix of the gateway, as the wire's contract has it."""

import base64
import gzip
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import cramjam

from shared.contracts import catalogue
from tests.unit.services.ingest.gateway.case import (
    BAD,
    GOOD,
    SONG,
    Case,
    batch,
    counted,
    kept,
    no,
    picture,
    song,
    text,
)
from tests.unit.services.ingest.gateway.gateways import KEY, UNKNOWN, basic

_NAMES = {
    "identify": catalogue.IDENTIFY,
    "track": SONG,
    "page": catalogue.PAGE,
    "screen": catalogue.SCREEN,
    "group": catalogue.GROUP,
    "alias": catalogue.ALIAS,
}


def _typed(path: str, kind: str) -> Case:
    event = {"userId": "u-1", "event": SONG, "groupId": "g-1", "previousId": "u-0", "messageId": "m-1"}
    # The address says the type, whatever the body says.
    wrong = "identify" if kind == "track" else "track"
    return kept(1, 0, (_NAMES[kind],), f"{path} is {kind}", text({**event, "type": wrong}), path)


_ADDRESSES = (
    *(_typed(f"/v1/{kind}", kind) for kind in _NAMES),
    *(_typed(f"/v1/{kind[0]}", kind) for kind in _NAMES),
    _typed("/v1/track/", "track"),
    _typed("//v1/track", "track"),
    *(
        song(f"{path} is a batch", batch(GOOD), path)
        for path in ("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch", "/v1/batch/")
    ),
    Case("figures of the browser SDK", text({"series": []}), "/v1/m"),
    no(404, "not_found", "an address that is none", batch(GOOD), "/v2/batch"),
    no(405, "method_not_allowed", "a method that is none", method="DELETE"),
    no(405, "method_not_allowed", "a batch that is asked for", method="GET"),
    Case("the root", path="/", method="GET"),
    Case("the health", path="/health", method="GET"),
)
_KEYS = (
    no(401, "unknown_key", "no key", batch(GOOD), keyed=False),
    no(401, "unknown_key", "a key that nobody has", batch(GOOD), keyed=False, headers=basic(UNKNOWN)),
    no(
        401,
        "unknown_key",
        "a header that is no base64",
        batch(GOOD),
        keyed=False,
        headers={"Authorization": "Basic §§"},
    ),
    song("a key in X-Write-Key", batch(GOOD), keyed=False, headers={"X-Write-Key": KEY.text}),
    song("a key as bearer", batch(GOOD), keyed=False, headers={"Authorization": f"Bearer {KEY.text}"}),
    song("a key in the body", batch(GOOD, writeKey=KEY.text), keyed=False),
    song(
        "another's token as bearer, the key in the body",
        batch(GOOD, writeKey=KEY.text),
        keyed=False,
        headers={"Authorization": "Bearer abc"},
    ),
    song("a key in the address", batch(GOOD), keyed=False, query=f"writeKey={KEY.text}"),
    song("a key in the path", batch(GOOD), f"/s/{KEY.text}/v1/batch", keyed=False),
    kept(
        1,
        1,
        (SONG, "!not_a_number /a"),
        "a key in a body that one bad event makes no JSON",
        b'{"writeKey":"%s","batch":[%s,{"a":NaN}]}' % (KEY.text.encode(), text(GOOD)),
        keyed=False,
    ),
)
_BODIES = (
    kept(1, 1, (SONG, "!missing /event"), "a good one beside a bad one", batch(GOOD, BAD)),
    kept(0, 2, ("!missing /event", "!missing /type"), "only bad ones", batch(BAD, {})),
    Case("an empty batch", batch(), answer=counted(0, 0)),
    kept(0, 1, ("!wrong_type /batch",), "a batch that is no array", text({"batch": 5})),
    kept(1, 2, ("!wrong_type", "!wrong_type", SONG), "a batch of what is no event", text({"batch": [5, None, GOOD]})),
    kept(0, 1, ("!missing /type",), "an object that is no event", b"{}"),
    kept(0, 1, ("!wrong_type",), "an array", b"[1]"),
    no(400, "not_json", "nothing", b""),
    no(400, "not_json", "half a JSON text", batch(GOOD)[:-3]),
    no(400, "not_json", "a form's fields", b"a=1&b=2"),
    no(400, "not_json", "a picture", bytes(range(256))),
    kept(
        1,
        1,
        (SONG, "!not_a_number /properties/a"),
        "a NaN beside a good one",
        b'{"batch":[%s,{"type":"track","event":"A","userId":"u","properties":{"a":NaN}}]}' % text(GOOD),
    ),
    kept(
        0,
        1,
        ("!not_a_number /properties/a",),
        "a NaN alone",
        b'{"event":"A","userId":"u","properties":{"a":NaN}}',
        "/v1/track",
    ),
    kept(
        1,
        1,
        (SONG, "!not_utf8"),
        "bytes that are no UTF-8 beside a good one",
        b'{"batch":[%s,{"event":"\xff"}]}' % text(GOOD),
    ),
    kept(
        0,
        1,
        ("!not_utf8",),
        "bytes that are no UTF-8 alone",
        b'{"type":"track","event":"\xff","userId":"u"}',
        "/v1/track",
    ),
    kept(
        1,
        1,
        (SONG, "!too_large"),
        "a hundred thousand levels beside a good one",
        b'{"batch":[%s,%s]}' % (text(GOOD), b"[" * 100_000 + b"]" * 100_000),
    ),
    kept(
        1,
        1,
        (SONG, "!too_large"),
        "an event of 33 KB beside a good one",
        batch(GOOD, {**GOOD, "properties": {"a": "x" * 33_000}}),
    ),
    song("a byte order mark", b"\xef\xbb\xbf" + batch(GOOD)),
    no(413, "too_large", "a body over the limit", b" " * 4_000_001),
    song("a null identity", text({**GOOD, "anonymousId": None}), "/v1/track"),
)
_ENCODINGS = (
    *(
        song(f"JSON as {kind}", batch(GOOD), headers={"Content-Type": kind})
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8", "")
    ),
    *(
        song(f"{name} as {said}", body, headers={"Content-Encoding": said} if said else {})
        for name, body, saids in (
            ("gzip", gzip.compress(batch(GOOD)), ("gzip", "", "br", "identity")),
            ("zlib", zlib.compress(batch(GOOD)), ("deflate", "", "gzip")),
            ("raw deflate", zlib.compress(batch(GOOD), wbits=-15), ("deflate",)),
            ("brotli", bytes(cramjam.brotli.compress(batch(GOOD))), ("br",)),
            ("zstd", bytes(cramjam.zstd.compress(batch(GOOD))), ("zstd", "")),
            ("two gzip members", gzip.compress(batch(GOOD)[:20]) + gzip.compress(batch(GOOD)[20:]), ("gzip",)),
            ("gzip in gzip", gzip.compress(gzip.compress(batch(GOOD))), ("gzip, gzip",)),
            ("plain JSON", batch(GOOD), ("gzip", "br", "deflate", "snappy")),
        )
        for said in saids
    ),
    no(400, "broken_encoding", "gzip that ends too early", gzip.compress(batch(GOOD))[:-9]),
    no(400, "not_json", "gzip of what is no JSON", gzip.compress(b"abc")),
    *(
        no(413, "too_large", f"a bomb of {name}", body, headers={"Content-Encoding": said})
        for name, said, body in (
            ("gzip", "gzip", gzip.compress(b" " * 50_000_000)),
            ("brotli", "br", bytes(cramjam.brotli.compress(b" " * 50_000_000))),
            ("zstd", "zstd", bytes(cramjam.zstd.compress(b" " * 50_000_000))),
        )
    ),
)
_VIEWED = {"e": "pv", "url": "https://shop.example/", "uid": "u-1", "eid": "e-1", "p": "web", "dtm": "1795339801000"}
_SCHEMA = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
_TP2 = "/com.snowplowanalytics.snowplow/tp2"
_SNOWPLOW = (
    kept(1, 0, (catalogue.PAGE,), "Snowplow's document", text({"schema": _SCHEMA, "data": [_VIEWED]}), _TP2),
    kept(
        1,
        1,
        (catalogue.PAGE, "!unknown_type /e"),
        "Snowplow's document beside a bad one",
        text({"schema": _SCHEMA, "data": [_VIEWED, {"e": "zz", "uid": "u"}]}),
        _TP2,
    ),
    kept(
        1,
        0,
        (catalogue.PAGE,),
        "Snowplow's key in the path",
        text({"schema": _SCHEMA, "data": [_VIEWED]}),
        f"/s/{KEY.text}{_TP2}",
        keyed=False,
    ),
    no(400, "too_large", "Snowplow over the limit", b" " * 4_000_001, _TP2),
    picture((catalogue.PAGE,), "Snowplow's query", path="/i", method="GET", query=urlencode(_VIEWED)),
    picture(
        (catalogue.PAGE,),
        "Snowplow's query with its key",
        path="/i",
        method="GET",
        keyed=False,
        query=urlencode({**_VIEWED, "writeKey": KEY.text}),
    ),
    no(
        401, "unknown_key", "Snowplow's query of nobody", path="/i", method="GET", keyed=False, query=urlencode(_VIEWED)
    ),
)


def _data(event: Mapping[str, Any]) -> str:
    return "data=" + quote(base64.b64encode(text(event)).decode(), safe="")


_PIXELS = (
    picture(
        (SONG,),
        "a pixel",
        path="/v1/pixel/track",
        method="GET",
        keyed=False,
        query=_data({**GOOD, "writeKey": KEY.text}),
    ),
    picture(
        (SONG,),
        "a pixel for URLs",
        path="/v1/pixel/t",
        method="GET",
        query="data=" + base64.urlsafe_b64encode(text({**GOOD, "context": {"a": "???>>>"}})).decode().rstrip("="),
    ),
    picture(("!missing /event",), "a bad pixel", path="/v1/pixel/track", method="GET", query=_data(BAD)),
    picture((), "a pixel of nobody", path="/v1/pixel/track", method="GET", keyed=False, query=_data(GOOD)),
    picture((), "a pixel that is no base64", path="/v1/pixel/track", method="GET", query="data=%25%25%25"),
    picture((), "a pixel of nothing", path="/v1/pixel/track", method="GET"),
    picture((), "a pixel of a kind that is none", path="/v1/pixel/dance", method="GET", query=_data(GOOD)),
)
_BROWSERS = (
    Case(
        "settings",
        path=f"/v1/projects/{KEY.text}/settings",
        method="GET",
        headers={"Host": "in.example:8080"},
        answer={"analyticsNextEnabled": True},
    ),
    no(401, "unknown_key", "settings of nobody", path=f"/v1/projects/{UNKNOWN}/settings", method="GET"),
    Case("a source's settings", path="/sourceConfig/", method="GET", query="p=npm&v=3", answer={}),
    no(401, "unknown_key", "a source's settings of nobody", path="/sourceConfig/", method="GET", keyed=False),
    Case(
        "a preflight",
        path="/v1/t",
        method="OPTIONS",
        keyed=False,
        headers={"Origin": "https://shop.example"},
        status=204,
        answer=b"",
    ),
)

CASES = (*_ADDRESSES, *_KEYS, *_BODIES, *_ENCODINGS, *_SNOWPLOW, *_PIXELS, *_BROWSERS)
