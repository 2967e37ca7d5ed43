"""What a root remembers."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared.local import state
from shared.local.errors import BrokenStateError, BusyStackError
from shared.local.processes import ProcessIdentity
from shared.local.state import ServerState, StateFile, write_whole


def test_each_server_is_remembered_by_itself(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    kafka, postgres = ServerState((20001, 20002), ProcessIdentity(7, 1795330235.81)), ServerState((20003,), None)
    file.write("kafka", kafka)
    file.write("postgres", postgres)
    assert (file.read("kafka"), file.read("postgres"), file.read("other")) == (kafka, postgres, None)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"kafka": {}}', '{"kafka": {"ports": ["x"], "process": null}}', "\xff"]
)
def test_a_state_that_cannot_be_read_says_which_file_to_delete(content: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(BrokenStateError, match=r"state\.json cannot be read\. Delete it"):
        StateFile(tmp_path).read("kafka")


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    def write(number: int) -> None:
        StateFile(tmp_path).write(f"server-{number}", ServerState((20000 + number,), None))

    threads = [threading.Thread(target=write, args=[number]) for number in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    remembered = [StateFile(tmp_path).read(f"server-{number}") for number in range(12)]
    assert remembered == [ServerState((20000 + number,), None) for number in range(12)]


def test_a_root_that_another_process_holds_is_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_PATIENCE", 0.3)
    holding = (
        "import sys; from pathlib import Path; from shared.local.state import StateFile\n"
        "with StateFile(Path(sys.argv[1])).exclusively(): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holding, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyStackError), StateFile(tmp_path).exclusively():
            pass
        other.communicate()
    with StateFile(tmp_path).exclusively():
        pass


def test_a_secret_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "password"
    write_whole(path, "s3cret", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["password"]
