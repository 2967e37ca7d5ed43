"""Subcommands are found by name, described without being run, and loaded only when chosen."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from shared.cli.subcommands import DEMO, GROUP, BrokenCommandError, Subcommand, subcommands, summary


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a package that records each import of one of its modules as a file."""
    folder = tmp_path / "brought"
    folder.mkdir()
    imported = f"import pathlib\npathlib.Path({str(tmp_path)!r}, __name__).touch()\n"
    (folder / "__init__.py").write_text(f'"""A package."""\n{imported}')
    (folder / "good.py").write_text(
        f'"""`rapport good`: what is good, and why."""\n{imported}import typer\napp = typer.Typer()\nother = 1\n'
    )
    (folder / "plain.py").write_text(f'"""Says it without a name."""\n{imported}')
    (folder / "failing.py").write_text(f'"""`rapport failing`: never."""\n{imported}raise OSError("no disk")\n')
    (folder / "wrong.py").write_text("this is no python")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_summary_is_the_first_sentence_without_the_name(package: Path) -> None:
    assert summary("brought.good") == "What is good, and why."
    assert summary("brought.plain") == "Says it without a name."
    assert not list(package.glob("brought.*"))


def test_describing_a_command_imports_neither_it_nor_its_package(package: Path) -> None:
    assert Subcommand("failing", "brought.failing:app").help == "Never."
    assert "brought" not in sys.modules
    assert not (package / "brought.failing").exists()


@pytest.mark.parametrize("target", ["brought.wrong:app", "brought.missing:app", "nowhere.at.all:app"])
@pytest.mark.usefixtures("package")
def test_a_command_that_cannot_even_be_read_is_described_as_such(target: str) -> None:
    assert Subcommand("x", target).help.startswith("Can't be loaded (")


@pytest.mark.usefixtures("package")
def test_a_chosen_command_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Subcommand("good", "brought.good:app").load()
    assert app is sys.modules["brought.good"].app
    for name in ("brought.good", "brought"):
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("brought.failing:app", "OSError: no disk"),
        ("brought.wrong:app", "SyntaxError"),
        ("brought.missing:app", "ModuleNotFoundError"),
        ("brought.good:absent", "AttributeError"),
        ("brought.good:other", "expected a typer app, found int"),
    ],
)
@pytest.mark.usefixtures("package")
def test_a_broken_command_says_what_is_wrong_with_it(target: str, words: str) -> None:
    with pytest.raises(BrokenCommandError, match=words):
        Subcommand("x", target).load()
    for name in [name for name in sys.modules if name.partition(".")[0] == "brought"]:
        del sys.modules[name]


def test_the_first_of_a_name_wins_and_the_demo_is_always_there() -> None:
    found = subcommands([EntryPoint("kpi", "a:app", GROUP), EntryPoint("kpi", "b:app", GROUP)])
    assert {name: command.target for name, command in found.items()} == {"demo": DEMO.value, "kpi": "a:app"}


def test_every_service_brings_its_command() -> None:
    assert {"ingest", "profile", "segments", "engagement", "kpi"} <= set(subcommands())
