"""The gateway as it is run: on a socket, with the real Kafka and PostgreSQL."""

import json
import signal
import socket
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from shared.local.ports import free_ports
from shared.local.stack import StackAddresses
from tests.integration.services.ingest.gateway.servers import OURS, Tail, fetch, registered, server, wait_for
from tests.unit.services.ingest.gateway.case import GOOD, Case, batch, text
from tests.unit.services.ingest.gateway.cases import CASES
from tests.unit.services.ingest.gateway.checking import check
from tests.unit.services.ingest.gateway.gateways import KEY, Reply, basic, told


def _spoken(connection: socket.socket, case: Case, key: str) -> Reply:
    """Send a case over an open connection, byte for byte."""
    path = quote(case.path.replace(KEY.text, key), safe="/")
    query = case.query.replace(KEY.text, key)
    headers = {name: value.replace(KEY.text, key) for name, value in case.headers.items()}
    if case.keyed:
        headers = {**basic(key), **headers}
    body = case.body.replace(KEY.text.encode(), key.encode())
    lines = [f"{case.method} {path}{'?' + query if query else ''} HTTP/1.1", "Host: in.example"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name != "Host"]
    lines += [f"Content-Length: {len(body)}", "", ""]
    connection.sendall("\r\n".join(lines).encode("latin-1") + body)
    return heard(connection)


def heard(connection: socket.socket) -> Reply:
    """Read one answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        assert part, data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Reply(int(status.split()[1]), headers, body)


def test_every_request_is_answered_as_agreed_and_what_it_held_is_on_the_topic(
    stack: StackAddresses, database_url: str, tail: Tail, tmp_path: Path
) -> None:
    # A key within base64 is that of the unit tests; all other places are rewritten.
    cases = {f"{OURS}case-{number}": case for number, case in enumerate(CASES) if case.what != "a pixel"}
    keys = {source: registered(database_url, source).text for source in cases}
    with server(stack, database_url, tmp_path) as gateway:
        for source, case in cases.items():
            with gateway.connect() as connection:
                check(case, _spoken(connection, case, keys[source]))
        assert gateway.process.poll() is None
        assert "Traceback" not in gateway.log.read_text("utf-8")
    written = tail.take()
    for source, case in cases.items():
        assert tuple(told(written.get(source, []))) == case.topic, case.what
    assert not set(written) - set(cases)


def test_a_source_that_is_added_may_send_and_a_key_that_is_revoked_may_not_any_more(
    stack: StackAddresses, database_url: str, tmp_path: Path
) -> None:
    with server(stack, database_url, tmp_path) as gateway:
        key = registered(database_url, "late")
        url, body = gateway.url + "/v1/batch", batch(GOOD)
        wait_for(lambda: fetch(url, body, basic(key.text))[0] == 200, gateway, 5)
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE ingest.source_keys SET revoked_at = now() WHERE id = %s", (key.id,))
        wait_for(lambda: fetch(url, body, basic(key.text))[0] == 401, gateway, 5)
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT last_used_at FROM ingest.source_keys WHERE id = %s", (key.id,)).fetchone()
        assert row is not None
        assert row[0] is not None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_is_under_way_is_finished_when_it_is_told_to_stop(
    stack: StackAddresses, database_url: str, tail: Tail, tmp_path: Path, workers: str
) -> None:
    source = f"{OURS}stopped-{workers}"
    key = registered(database_url, source)
    with server(stack, database_url, tmp_path, {"CRM_INGEST_GATEWAY_WORKERS": workers}) as gateway:
        body = batch(GOOD)
        with gateway.connect() as connection:
            head = (
                f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-Write-Key: {key.text}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            connection.sendall(head.encode() + body[:-1])
            wait_for(lambda: gateway.count("crm_ingest_gateway_connections") == 1, gateway)
            gateway.process.send_signal(signal.SIGTERM)
            wait_for(lambda: b"Stopping" in gateway.log.read_bytes(), gateway)
            connection.sendall(body[-1:])
            assert heard(connection).status == 200
        assert gateway.process.wait(20) == 0
    assert len(tail.take()[source]) == 1


def test_without_kafka_nothing_is_accepted_and_nothing_fails(
    stack: StackAddresses, database_url: str, tmp_path: Path
) -> None:
    key = registered(database_url, "no-kafka")
    nowhere = f"127.0.0.1:{free_ports(1)[0]}"
    variables = {"CRM_INGEST_GATEWAY_KAFKA_BOOTSTRAP_SERVERS": nowhere, "CRM_INGEST_GATEWAY_ANSWER_SECONDS": "1"}
    with server(stack, database_url, tmp_path, variables, ready=False) as gateway:
        code, page = gateway.page("readyz")
        assert code == 503
        assert "kafka" in page
        wait_for(lambda: fetch(gateway.url + "/v1/batch", batch(GOOD), basic(key.text))[0] == 503, gateway)
        assert json.loads(fetch(gateway.url + "/v1/batch", batch(GOOD), basic(key.text))[1])["code"] == "not_written"
        assert gateway.page("livez")[0] == 200


def test_without_postgresql_senders_keep_what_they_have(stack: StackAddresses, tmp_path: Path) -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_ports(1)[0]}/none"
    with server(stack, nowhere, tmp_path, ready=False) as gateway:
        wait_for(lambda: fetch(gateway.url + "/")[0] == 200, gateway)
        code, body = fetch(gateway.url + "/v1/track", text(GOOD), basic(KEY.text))
        assert (code, json.loads(body)["code"]) == (503, "starting")
        assert gateway.page("readyz")[0] == 503
