"""What a command speaks to, when the environment does not say."""

from pathlib import Path

import pytest

from shared.cli.where import ENOUGH, fill_environment
from shared.local.platform import Platform

RUNNING = {
    "CRM_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "CRM_DATABASE_URL": "postgresql://a:b@127.0.0.1:2/rapport",
    "CRM_IDENTITY_SECRET": "0" * 48,
}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder deep in a checkout whose stack runs."""
    deep = tmp_path / "some" / "where"
    deep.mkdir(parents=True)
    (tmp_path / ".rapport").mkdir()

    def variables(platform: Platform) -> dict[str, str]:
        return RUNNING if platform.root == tmp_path / ".rapport" else {}

    monkeypatch.setattr(Platform, "variables", variables)
    return deep


def test_what_is_unset_is_filled_from_the_nearest_checkout(checkout: Path) -> None:
    variables = {"PATH": "/bin", "CRM_DATABASE_URL": ""}
    assert set(fill_environment(checkout, variables)) == set(ENOUGH)
    assert variables == {"PATH": "/bin", **RUNNING}


def test_what_is_set_stays_as_it_is(checkout: Path) -> None:
    variables = {"CRM_DATABASE_URL": "postgresql://mine"}
    fill_environment(checkout, variables)
    assert variables["CRM_DATABASE_URL"] == "postgresql://mine"
    assert variables["CRM_KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:1"


def test_nothing_is_looked_up_when_all_is_set(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = dict.fromkeys(ENOUGH, "set")
    monkeypatch.setattr(Platform, "variables", None)
    assert fill_environment(checkout, variables) == []


def test_nothing_is_filled_where_no_stack_was_started(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    variables: dict[str, str] = {}
    assert fill_environment(tmp_path, variables) == []
    assert variables == {}
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_a_state_that_cannot_be_read_does_not_end_other_commands(tmp_path: Path) -> None:
    (tmp_path / ".rapport").mkdir()
    (tmp_path / ".rapport" / "state.json").write_text("{half")
    assert fill_environment(tmp_path, {}) == []
