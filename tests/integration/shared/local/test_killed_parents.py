"""What a killed parent leaves is found, and never a stranger's process."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.local.errors import LostPasswordError, ServerStartError
from shared.local.processes import ProcessIdentity, bare_environment, launch
from shared.local.readiness import poll
from shared.local.stack import Stack

STARTS = (
    "import os, signal, sys; from pathlib import Path; from shared.local.stack import Stack\n"
    "Stack(Path(sys.argv[1]), environment={}).up()\n"
    "os.kill(os.getpid(), signal.SIGKILL)"
)
BORROWS = (
    "import os, signal, sys; from pathlib import Path; from shared.local.temporary import temporary_stack\n"
    "with temporary_stack(Path(sys.argv[1])) as stack:\n"
    "    print(*[each.pid for each in stack.status()], flush=True)\n"
    "    os.kill(os.getpid(), signal.SIGKILL)"
)


def run_and_die(program: str, root: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, str(root)], stdout=subprocess.PIPE, text=True, timeout=120, check=False
    )
    assert done.returncode == -signal.SIGKILL
    return done.stdout


@pytest.fixture
def abandoned(tmp_path: Path) -> Iterator[Stack]:
    """Give a stack whose parent was killed right after it had started it."""
    stack = Stack(tmp_path / "root", environment={})
    run_and_die(STARTS, stack.root)
    yield stack
    stack.erase()


def identities(stack: Stack) -> list[ProcessIdentity]:
    found = [ProcessIdentity.of(each.pid) for each in stack.status() if each.pid is not None]
    return [each for each in found if each is not None]


def test_down_stops_what_a_killed_parent_left_and_a_stranger_is_left_alone(abandoned: Stack) -> None:
    servers = identities(abandoned)
    assert len(servers) == 2
    abandoned.down()
    assert not any(each.alive() for each in servers)
    stranger = launch(["/bin/sleep", "60"], log=abandoned.root / "log", environment=bare_environment(abandoned.root))
    assert stranger is not None
    path = abandoned.root / "state.json"  # as if the broker's pid had been given to somebody else since
    content = json.loads(path.read_text())
    content["kafka"]["process"] = {"pid": stranger.pid, "started_at": stranger.started_at - 60}
    path.write_text(json.dumps(content))
    abandoned.down()
    assert stranger.alive()
    assert abandoned.status()[0].pid is None
    stranger.send(signal.SIGKILL)


def test_servers_whose_parent_could_not_write_them_down_are_found_all_the_same(abandoned: Stack) -> None:
    servers = identities(abandoned)
    (abandoned.root / "state.json").unlink()
    assert sorted(each.pid for each in identities(abandoned)) == sorted(each.pid for each in servers)
    abandoned.down()
    assert not any(each.alive() for each in servers)


def test_a_start_that_fails_shows_the_end_of_the_servers_log(abandoned: Stack) -> None:
    abandoned.down()
    meta = abandoned.kafka.data / "meta.properties"
    meta.write_text(meta.read_text().replace("node.id=1", "node.id=2"))
    with pytest.raises(
        ServerStartError, match=r"kafka did not start: its process ended(.|\n)*Stored node id 2"
    ) as caught:
        abandoned.kafka.start()
    assert str(abandoned.root / "logs" / "kafka.log") in str(caught.value)
    (abandoned.root / "secrets" / "postgres-password").unlink()
    with pytest.raises(LostPasswordError):
        abandoned.postgres.start()


def test_a_temporary_stack_does_not_outlive_an_owner_who_was_killed(tmp_path: Path) -> None:
    printed = run_and_die(BORROWS, tmp_path)
    pids = [int(each) for each in printed.split()]
    assert len(pids) == 2
    stack = Stack(tmp_path, environment={})

    def gone() -> bool:
        return not (stack.kafka.folder.exists() or stack.postgres.home.exists() or identities(stack))

    assert poll(gone, 60.0, lambda: True)
    assert (tmp_path / "logs" / "kafka.log").exists()
