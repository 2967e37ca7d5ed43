"""The gateway's OpenAPI document says what the gateway does: every address, every answer, every example."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from services.ingest.domain.sources import Source
from services.ingest.gateway import routes
from services.ingest.gateway.openapi import description, document
from services.ingest.gateway.routes import ADDRESSES, EVENTS, PIXELS, Address, Place
from services.ingest.ports import Snapshot
from services.ingest.source_book import SourceBook
from shared.runtime.clock import FixedClock
from shared.runtime.reference import FOLDER
from tests.unit.services.ingest.gateway.cases import CASES
from tests.unit.services.ingest.gateway.gateways import KEY, InMemoryLog, Reply, Running, basic, running
from tests.unit.services.ingest.memory_sources import InMemorySources
from tests.unit.services.ingest.records import APPENDED

DOCUMENT: dict[str, Any] = json.loads((FOLDER / "openapi-ingest-gateway.json").read_text("utf-8"))
BASE = "rapport:///gateway.json"
REGISTRY = jsonschema_rs.Registry([(BASE, DOCUMENT)], draft=jsonschema_rs.Draft202012)
OPERATIONS = [
    (method, path, operation) for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
]
POSTED = [(path, operation) for method, path, operation in OPERATIONS if "requestBody" in operation]
MEDIA = "application/json"
TRACK = json.dumps({"event": "A", "userId": "u"}).encode()

Answered = set[tuple[Place, int, str]]


def operation_of(address: Address) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][address.path][address.method.lower()]
    return found


def holds(schema: dict[str, Any], value: Any) -> None:
    """Check a value by a schema of the document."""
    told = json.loads(json.dumps(schema).replace('"#/', f'"{BASE}#/'))
    jsonschema_rs.Draft202012Validator(told, registry=REGISTRY, offline=True).validate(value)


def check_documented(operation: dict[str, Any], reply: Reply) -> None:
    """Check that an answer is one that the operation documents."""
    answer = operation["responses"][str(reply.status)]
    kind = reply.headers.get("content-type")
    assert set(answer.get("content", ())) == ({kind} if kind else set())
    if kind == MEDIA:
        holds(answer["content"][MEDIA]["schema"], reply.json)
    assert ("Retry-After" in answer.get("headers", ())) is ("retry-after" in reply.headers)


def documented() -> Answered:
    """Collect what the document says is answered: the place, the status, and the code of what is refused."""
    found: Answered = set()
    for address in ADDRESSES:
        for status, answer in operation_of(address)["responses"].items():
            schema = answer.get("content", {}).get(MEDIA, {}).get("schema", {})
            codes = schema["allOf"][1]["properties"]["code"]["enum"] if "allOf" in schema else [""]
            found |= {(address.place, int(status), code) for code in codes}
    return found


@asynccontextmanager
async def in_trouble() -> AsyncIterator[list[tuple[str, Running]]]:
    """Give gateways that can store nothing for now, each with the code that says why."""
    gone = InMemoryLog()
    gone.gone = True
    unread = SourceBook(InMemorySources(Snapshot({}, {})), FixedClock(APPENDED))
    slow = Source("shop", "segment", rate=1, burst=1)
    async with (
        running(gone) as without_kafka,
        running(InMemoryLog(), known=unread) as without_sources,
        running(InMemoryLog(), slow) as hurried,
        running(InMemoryLog()) as full,
        running(InMemoryLog()) as broken,
    ):
        await hurried.post("/v1/batch", {"batch": [{"a": 1}] * 50})
        full.gateway._reception.budget.lease("others").grow(10**9)
        full.gateway._reception.budget.used = 10**9
        broken.gateway._reception = None  # type: ignore[assignment]  # whatever is wrong with it
        yield [
            ("not_written", without_kafka),
            ("starting", without_sources),
            ("too_fast", hurried),
            ("busy", full),
            ("failed", broken),
        ]


def test_the_document_is_openapi_by_its_official_schema() -> None:
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []
    assert not OPENAPI_31_VALIDATOR.is_valid({**DOCUMENT, "paths": {"v1": 5}})


def test_the_page_is_what_the_code_says() -> None:
    assert json.loads(description()) == document() == DOCUMENT


def test_every_address_is_documented_and_no_other() -> None:
    assert {(method, path) for method, path, _ in OPERATIONS if method != "options"} == {
        (address.method.lower(), address.path) for address in ADDRESSES
    }
    assert len({operation["operationId"] for _, _, operation in OPERATIONS}) == len(OPERATIONS)


def test_every_path_that_takes_events_is_an_address() -> None:
    posted = {address.path for address in ADDRESSES if address.place is Place.EVENTS}
    assert posted == set(EVENTS)
    (pixel,) = [address for address in ADDRESSES if address.place is Place.PIXEL]
    assert set(operation_of(pixel)["parameters"][0]["schema"]["enum"]) == set(PIXELS)


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: f"{address.method} {address.path}")
async def test_an_address_takes_its_method_and_no_other(address: Address) -> None:
    path = address.path.replace("{kind}", "track").replace("{key}", KEY.text)
    async with running(InMemoryLog()) as gateway:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            reply = await gateway.ask(method, path, b"{}", basic(KEY.text))
            assert reply is not None
            taken = method == address.method or (method, address.method) == ("HEAD", "GET")
            assert (reply.status == 405) is not taken, (method, reply)
            if taken:
                check_documented(operation_of(address), reply)
        preflight = await gateway.ask("OPTIONS", path)
        assert preflight is not None
        check_documented(DOCUMENT["paths"][address.path]["options"], preflight)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
async def test_what_is_answered_is_documented(case: Any) -> None:
    async with running(InMemoryLog()) as gateway:
        reply = await gateway.ask(case.method, case.path, case.body, case.all_headers, case.query)
    assert reply is not None
    path, _ = routes.keyed(routes.plain(case.path))
    address, _ = routes.found(path) or (None, "")
    if case.method == "OPTIONS":
        check_documented(DOCUMENT["paths"][path]["options"], reply)
    elif address is None or address.method != case.method:
        assert reply.status == (404 if address is None else 405)
    else:
        check_documented(operation_of(address), reply)


async def test_what_is_documented_is_answered() -> None:
    """Each documented answer was given: by the matrix of answers, or by a gateway in trouble."""
    seen: Answered = {(address.place, 200, "") for address in ADDRESSES}
    for case in CASES:
        address, _ = routes.found(routes.keyed(routes.plain(case.path))[0]) or (None, "")
        if address is not None and isinstance(case.answer, dict) and case.method == address.method:
            seen.add((address.place, case.status, str(case.answer.get("code", ""))))
    async with in_trouble() as gateways:
        for code, gateway in gateways:
            for address in ADDRESSES:
                path = address.path.replace("{kind}", "track").replace("{key}", KEY.text)
                headers = {} if code == "starting" else basic(KEY.text)
                reply = await gateway.ask(address.method, path, TRACK, headers, "e=pv&data=e30")
                assert reply is not None
                check_documented(operation_of(address), reply)
                if reply.headers["content-type"] == MEDIA:
                    seen.add((address.place, reply.status, reply.json.get("code", "")))
    # A query is neither compressed nor larger than a request's line, and it is never no JSON.
    unseen = {(Place.TRACKED, 400, code) for code in ("not_json", "broken_encoding", "too_large")}
    assert documented() - seen - unseen == set()


@pytest.mark.parametrize(("path", "operation"), POSTED, ids=[path for path, _ in POSTED])
async def test_an_example_is_accepted_whole(path: str, operation: dict[str, Any]) -> None:
    described = operation["requestBody"]["content"]
    for kind, media in described.items():
        holds(media["schema"], media["example"])
        async with running(InMemoryLog()) as gateway:
            reply = await gateway.post(path, media["example"], {"Content-Type": kind})
        assert (reply.status, reply.json["quarantined"]) == (200, 0), reply
        assert reply.json["accepted"] >= 1


async def test_anybody_may_ask_for_the_document() -> None:
    async with running(InMemoryLog()) as gateway:
        reply = await gateway.ask("GET", "/openapi.json")
    assert reply is not None
    assert (reply.status, reply.json) == (200, DOCUMENT)
