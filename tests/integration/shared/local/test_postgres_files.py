"""PostgreSQL's programs and data where another account can reach them."""

import subprocess
from pathlib import Path

import pytest

from shared.local.postgres_files import copy_programs, open_to_others, programs, server_home
from shared.local.processes import Account

SOMEBODY = Account("somebody", 12345, 12345)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """Give a folder that only its owner can enter."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


def test_a_folder_below_one_that_only_its_owner_enters_is_closed_to_others(closed: Path) -> None:
    (closed / "inside").mkdir(mode=0o755)
    assert not open_to_others(closed / "inside")
    assert not open_to_others(closed / "not" / "yet")
    assert open_to_others(Path("/"))


def test_our_own_account_keeps_its_data_in_the_root(closed: Path) -> None:
    assert server_home(closed, None) == closed / "postgres"


def test_where_the_account_cannot_enter_each_root_has_its_own_place_elsewhere(closed: Path) -> None:
    one, other = server_home(closed / "a", SOMEBODY), server_home(closed / "b", SOMEBODY)
    assert not one.is_relative_to(closed)
    assert one != other
    assert server_home(closed / "a", SOMEBODY) == one


def test_the_place_once_chosen_stays(closed: Path) -> None:
    (closed / "postgres").symlink_to("/elsewhere")
    assert server_home(closed, SOMEBODY) == Path("/elsewhere")
    (closed / "postgres").unlink()
    (closed / "postgres").mkdir()
    assert server_home(closed, SOMEBODY) == closed / "postgres"


def test_a_copy_of_the_programs_runs_and_is_readable_by_all(tmp_path: Path) -> None:
    installed = programs(None)
    target = tmp_path / "programs"
    copy_programs(installed.parent, target)
    copied = target / installed.parent.name / "pginstall" / "bin" / "initdb"
    assert copied.stat().st_mode & 0o555 == 0o555
    done = subprocess.run([str(copied), "--version"], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    assert done.stdout.startswith("initdb (PostgreSQL) 18")
    assert [each.name for each in tmp_path.iterdir()] == ["programs"]
