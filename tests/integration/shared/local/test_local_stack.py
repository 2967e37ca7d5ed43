"""The embedded stack: found again, kept, stopped, and back on the same ports after the worst."""

import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from shared.local.errors import PortTakenError, WrongPasswordError
from shared.local.external import ExternalKafka, ExternalPostgres
from shared.local.kafka import EmbeddedKafka
from shared.local.ports import answers
from shared.local.postgres import EmbeddedPostgres, StopMode
from shared.local.processes import ProcessIdentity
from shared.local.readiness import poll
from shared.local.stack import Stack, StackAddresses
from shared.local.temporary import temporary_stack
from tests.integration.shared.local.kafka_records import create_topic, read, topics, write


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack of this module's own: its servers are killed and stopped."""
    with temporary_stack(tmp_path_factory.mktemp("local")) as stack:
        yield stack


def addresses(stack: Stack) -> StackAddresses:
    found = stack.addresses()
    assert found is not None
    return found


def healthy(stack: Stack, number: int) -> bool:
    return stack.status()[number].healthy


def remember(stack: Stack, text: str) -> None:
    with psycopg.connect(addresses(stack).database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [text])


def remembered(stack: Stack) -> set[str]:
    with psycopg.connect(addresses(stack).database_url) as connection:
        return {text for (text,) in connection.execute("SELECT text FROM kept").fetchall()}


def test_up_again_finds_the_running_servers(local: Stack) -> None:
    before = [each.pid for each in local.status()]
    assert Stack(local.root, environment={}).up() == addresses(local)
    assert [each.pid for each in local.status()] == before
    assert poll(lambda: all(each.healthy for each in local.status()), 60.0, lambda: True)


def test_data_and_addresses_survive_down_and_up(local: Stack) -> None:
    before = addresses(local)
    create_topic(before.kafka, "survives")
    write(before.kafka, "survives", [b"one", b"two"])
    remember(local, "survives")
    local.down()
    assert local.addresses() is None
    assert [each.detail for each in local.status()] == ["not running", "not running"]
    assert local.up() == before
    assert read(before.kafka, "survives", 2) == [b"one", b"two"]
    assert "survives" in remembered(local)


def test_a_killed_broker_comes_back_on_its_port_with_its_records(local: Stack) -> None:
    before = addresses(local)
    create_topic(before.kafka, "killed")
    write(before.kafka, "killed", [b"acknowledged"])
    local.kafka.kill(signal.SIGKILL)
    assert not answers(int(before.kafka.split(":")[1]))
    assert local.addresses() is None
    local.kafka.start()
    assert addresses(local) == before
    assert read(before.kafka, "killed", 1) == [b"acknowledged"]


def test_a_database_stopped_at_once_comes_back_on_its_port_with_its_rows(local: Stack) -> None:
    before = addresses(local)
    remember(local, "immediate")
    local.postgres.stop(StopMode.IMMEDIATE)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(before.database_url)
    local.postgres.start()
    assert addresses(local) == before
    assert "immediate" in remembered(local)


def test_a_killed_database_comes_back_and_what_outlived_it_is_gone_by_then(local: Stack) -> None:
    remember(local, "killed")
    with psycopg.connect(addresses(local).database_url) as connection:
        backend = ProcessIdentity.of(connection.info.backend_pid)
        assert backend is not None
        backend.send(signal.SIGSTOP)  # else it would end by itself: two servers on one folder destroy it
        local.postgres.kill(signal.SIGKILL)
        local.postgres.start()
        assert not backend.alive()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert "killed" in remembered(local)


def test_a_paused_server_is_ill_and_well_again_after_resume(local: Stack) -> None:
    for number, server in enumerate((local.kafka, local.postgres)):
        server.pause()
        assert not local.status()[number].healthy
        server.resume()
        assert poll(partial(healthy, local, number), 60.0, server.running)


def test_restart_is_another_process_on_the_same_port(local: Stack) -> None:
    before = local.status()[1]
    local.postgres.restart()
    after = local.status()[1]
    assert (after.address, after.healthy) == (before.address, True)
    assert after.pid != before.pid


def test_a_port_that_somebody_took_meanwhile_is_told_with_his_name(local: Stack) -> None:
    before = addresses(local)
    port = local.postgres.port
    assert port is not None
    local.postgres.stop()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTakenError, match=f"port {port}.*is taken by"):
        local.postgres.start()
    local.postgres.start()
    assert addresses(local) == before


def test_two_checkouts_side_by_side_do_not_meet(local: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A temporary stack is embedded whatever these say.
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", addresses(local).kafka)
    monkeypatch.setenv("CRM_DATABASE_URL", addresses(local).database_url)
    with temporary_stack(tmp_path / "other") as other:
        here, there = addresses(local), addresses(other)
        assert {here.kafka, here.database_url}.isdisjoint({there.kafka, there.database_url})
        create_topic(there.kafka, "there")
        assert "there" in topics(there.kafka)
        assert "there" not in topics(here.kafka)
    assert addresses(local) == here
    assert poll(lambda: all(each.healthy for each in local.status()), 60.0, lambda: True)


def test_the_database_is_what_production_has(local: Stack) -> None:
    names = ["server_encoding", "fsync", "synchronous_commit", "listen_addresses", "jit", "TimeZone"]
    with psycopg.connect(addresses(local).database_url) as connection:
        found = [connection.execute(f"SHOW {name}").fetchone() for name in names]
        order = connection.execute("SELECT array_agg(w ORDER BY w) FROM unnest(ARRAY['b','a','B','ä']) w").fetchone()
        locale = "SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = 'rapport'"
        assert connection.execute(locale).fetchone() == ("b", "C.UTF-8")
    assert found == [("UTF8",), ("on",), ("on",), ("127.0.0.1",), ("off",), ("UTC",)]
    assert order == (["B", "a", "b", "ä"],)  # by code point, on every machine


def test_secrets_are_their_owners_only_and_a_wrong_password_is_refused(local: Stack) -> None:
    secret = local.root / "secrets" / "postgres-password"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.parent.stat().st_mode & 0o777 == 0o700
    assert (local.root / "kafka").stat().st_mode & 0o777 == 0o700  # what customers did
    url = addresses(local).database_url
    with pytest.raises(WrongPasswordError, match=r"Correct CRM_DATABASE_URL"):
        ExternalPostgres(url.replace(secret.read_text(), "wrong")).start()


def test_servers_of_ours_serve_another_checkout_through_the_two_variables(local: Stack, tmp_path: Path) -> None:
    here = addresses(local)
    root = tmp_path / "elsewhere"
    stack = Stack(root, environment={"CRM_KAFKA_BOOTSTRAP_SERVERS": here.kafka, "CRM_DATABASE_URL": here.database_url})
    assert stack.up() == here
    assert [(each.kind, each.healthy) for each in stack.status()] == [("external", True), ("external", True)]
    assert "rapport_owner" not in str(stack.status())
    stack.down()
    assert not root.exists()
    ExternalKafka(here.kafka).start()
    ExternalPostgres(here.database_url).start()


def test_the_programs_bring_the_extension_for_similar_names(local: Stack) -> None:
    assert "pg_trgm" in local.postgres.extensions()


def test_nothing_of_a_broken_folder_is_taken_for_a_server(tmp_path: Path) -> None:
    for server in (EmbeddedKafka(tmp_path), EmbeddedPostgres(tmp_path)):
        assert server.process() is None
        server.kill()
        server.pause()
        server.resume()
        server.stop()
        assert not server.running()
