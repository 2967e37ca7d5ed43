"""One command line: what is dispatched where, and how it ends."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

import shared
from shared.cli import main as cli
from shared.cli import subcommands as found
from shared.cli.verbs import VERBS
from shared.cli.verbs import lanes as read_lanes
from shared.local.errors import LocalStackError
from shared.runtime.errors import FatalError

PACKAGES = Path(shared.__file__).parents[1]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def bring(monkeypatch: pytest.MonkeyPatch, error: BaseException | None = None) -> None:
    """Install a subcommand `brought` that echoes its argument, or raises."""
    app = typer.Typer()

    @app.command()
    def echo(text: str = "") -> None:
        if error is not None:
            raise error
        typer.echo(text)

    command = found.Subcommand("brought", "nowhere:app")
    monkeypatch.setattr(found.Subcommand, "load", lambda _self: app)
    monkeypatch.setattr(cli, "subcommands", lambda: {"brought": command})
    monkeypatch.setattr(cli, "fill_environment", list)


def test_the_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"rapport {version('rapport-crm')}\n", "")


def test_help_lists_every_verb_and_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name in ("up", "status", "down", "migrate", "logs", "demo", "ingest", "profile", "segments", "kpi"):
        assert f"│ {name} " in out


@pytest.mark.parametrize("verb", [verb.__name__ for verb, _ in VERBS])
def test_every_verb_has_help_with_an_example(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    code, out, _ = run(capsys, verb, "--help")
    assert code == 0
    assert "Examples:" in out
    assert f"rapport {verb}" in out


@pytest.mark.parametrize("command", ["demo", "engagement", "ingest", "kpi", "profile", "segments"])
def test_no_command_offers_a_completion_that_knows_only_itself(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert "completion" not in out


def test_the_verbs_that_are_dispatched_are_the_verbs_that_exist() -> None:
    assert [verb.__name__ for verb, _ in VERBS] == list(cli.VERBS)


@pytest.mark.parametrize(
    "arguments",
    [("nope",), ("up", "--only", "half"), ("logs",), ("status", "--wrong"), ("logs", "profile", "-n", "-1")],
)
def test_a_wrong_question_ends_with_code_2_and_words(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert err


def test_a_subcommand_gets_the_rest_of_the_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(monkeypatch)
    assert run(capsys, "brought", "--text", "hello") == (0, "hello\n", "")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, ""),
        (FatalError("the log was cut"), 1, "Error: the log was cut\n"),
        (LocalStackError("port taken"), 1, "Error: port taken\n"),
        (ValueError("odd"), 1, "Error: ValueError: odd\nThat should not have happened"),
        (typer.Exit(1), 1, ""),
    ],
)
def test_however_a_command_ends_nobody_sees_a_stack_trace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, words: str
) -> None:
    bring(monkeypatch, error)
    monkeypatch.delenv("CRM_DEBUG", raising=False)
    found_code, out, err = run(capsys, "brought")
    assert (found_code, out) == (code, "")
    assert err.startswith(words)
    assert "Traceback" not in err


def test_ctrl_c_while_a_command_is_loaded_ends_it_like_any_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(monkeypatch)

    def interrupted(_command: found.Subcommand) -> typer.Typer:
        raise KeyboardInterrupt

    monkeypatch.setattr(found.Subcommand, "load", interrupted)
    assert run(capsys, "brought") == (130, "", "")


def test_wrong_lanes_are_told_before_anything_is_started(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRM_LANES", "many")
    code, _, err = run(capsys, "up")
    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert "CRM_LANES: expected a number of at least 1, got 'many'." in err


def test_a_broken_command_does_not_break_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"broken": found.Subcommand("broken", "nowhere.at.all:app")}
    monkeypatch.setattr(cli, "subcommands", lambda: broken)
    code, _, err = run(capsys, "broken")
    assert code == 1
    assert "`rapport broken` can't be loaded from nowhere.at.all:app: ModuleNotFoundError" in err
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "Can't be loaded (ModuleNotFoundError)." in out


def test_no_service_is_imported_by_what_is_not_its_own() -> None:
    code = (
        "import sys, json, contextlib, io\n"
        "from shared.cli.main import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "    main([sys.argv[1]])\n"
        "print(json.dumps(sorted(name for name in sys.modules if name.startswith('services.'))))\n"
    )
    for argument in ("--help", "status"):
        done = subprocess.run(
            [sys.executable, "-c", code, argument], capture_output=True, text=True, check=True, cwd=PACKAGES, timeout=60
        )
        assert json.loads(done.stdout) == []


@pytest.mark.parametrize("lanes", ["none", "0", "-4", "\uff14", "4.5"])
def test_lanes_that_are_no_number_are_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lanes: str
) -> None:
    monkeypatch.setenv("CRM_LANES", lanes)
    with pytest.raises(typer.Exit):
        read_lanes()
    assert "CRM_LANES: expected a number" in capsys.readouterr().err


def test_a_database_url_that_is_none_is_told_and_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("CRM_DATABASE_URL", "canary-password")
    code, out, err = run(capsys, "migrate")
    assert (code, out) == (1, "")
    assert err.startswith("Error: CRM_DATABASE_URL is not an address of PostgreSQL")
    assert "canary" not in err


def test_up_can_be_limited_to_the_stack_and_to_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "up", "--only", "kafka") == (2, "", "--only: expected stack, got 'kafka'\n")


@pytest.mark.parametrize("group", ["customers", "engagement", "ingest", "kpi", "profile", "segments"])
def test_every_group_has_help_with_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], group: str
) -> None:
    monkeypatch.setattr(cli, "fill_environment", list)
    code, out, _ = run(capsys, group, "--help")
    assert code == 0
    assert out.partition("Examples:")[2].count(f"rapport {group} ") >= 2
