"""Processes known by pid and start time."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.local.processes import ProcessIdentity, bare_environment, find_by_argument, launch, stop, tail


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[ProcessIdentity]:
    """Give a process that sleeps, and end it."""
    identity = launch(["/bin/sleep", "60"], log=tmp_path / "log", environment=bare_environment(tmp_path))
    assert identity is not None
    yield identity
    identity.send(signal.SIGKILL)


def test_a_stranger_with_the_same_pid_is_never_touched(sleeper: ProcessIdentity) -> None:
    former = ProcessIdentity(sleeper.pid, sleeper.started_at - 3600)
    assert not former.alive()
    former.send(signal.SIGKILL)
    former.send_to_tree(signal.SIGKILL)
    stop("former", former, [(signal.SIGKILL, 1.0)])
    assert sleeper.alive()


def test_a_launched_process_is_nobodys_child_here(sleeper: ProcessIdentity) -> None:
    process = sleeper.process()
    assert process is not None
    assert process.ppid() != os.getpid()
    assert os.getsid(sleeper.pid) != os.getsid(0)


def test_a_dead_child_that_nobody_has_waited_for_is_not_alive() -> None:
    with subprocess.Popen(["/bin/true"]) as child:
        identity = ProcessIdentity.of(child.pid)
        assert identity is not None
        assert identity.wait_gone(10.0)
        assert child.returncode is None  # a zombie, since nobody has asked for its code


def test_a_stopped_process_can_be_ended_in_good_order(sleeper: ProcessIdentity) -> None:
    sleeper.send(signal.SIGSTOP)
    stop("sleeper", sleeper, [(signal.SIGTERM, 10.0)])
    assert not sleeper.alive()


def test_a_command_that_does_not_exist_leaves_its_reason_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    identity = launch([str(tmp_path / "nothing")], log=log, environment=bare_environment(tmp_path))
    assert identity is None or identity.wait_gone(10.0)
    assert "not found" in tail(log)


def test_a_process_is_found_by_an_argument_that_equals_and_not_by_one_that_contains(tmp_path: Path) -> None:
    mark = f"mark={tmp_path}"
    command = ["/bin/sh", "-c", "read nothing; sleep 60", "sh", mark + "/more"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as other:
        assert find_by_argument(mark) == []
        assert [each.pid for each in find_by_argument(mark + "/more")] == [other.pid]
        other.kill()


def test_the_servers_environment_holds_nothing_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGDATA", "/elsewhere")
    monkeypatch.setenv("CRM_SECRET", "s3cret")
    log = tmp_path / "log"
    identity = launch(["/usr/bin/env"], log=log, environment=bare_environment(tmp_path))
    assert identity is None or identity.wait_gone(10.0)
    assert "PATH=" in tail(log)
    assert "s3cret" not in tail(log)
    assert "PGDATA" not in tail(log)


def test_the_tail_is_the_end_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert tail(log, lines=2) == "line 99998\nline 99999"
    assert tail(tmp_path / "none") == "(no log)"
