"""What the how-to pages show can be done: commands and options exist, files are valid, edits apply, tests are there."""

import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from typer.exceptions import TyperException

from shared.cli.verbs import VERBS
from shared.contracts.catalogue import Family
from shared.runtime.settings import PREFIX, RuntimeSettings
from shared.runtime.settings_reference import settings_modules, settings_of
from shared.runtime.tables import RUNTIME_TABLES_V1
from tests.architecture.repository import ROOT, files, project, shown

DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "how-to").glob("*.md"))
SHELL = re.compile(r"^```sh\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
YAML = re.compile(r"^```yaml\n# (?P<path>\S+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
EDIT = re.compile(r"^\| `(?P<path>[^`]+)` \| `(?P<old>[^`]+)` \| `(?P<new>[^`]+)` \|$", re.MULTILINE)
BESIDE_SETTINGS = {"CRM_STACK"}


def commands(page: Path, program: str) -> list[list[str]]:
    """Collect the commands of one program that a page shows, each as its arguments."""
    lines = [line for block in SHELL.findall(page.read_text("utf-8")) for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [found[1:] for found in words if found and Path(found[0]).name == program]


def root() -> Any:
    """Build the whole of `rapport`, with the subcommands of every service."""
    app = typer.Typer()
    for verb, _ in VERBS:
        app.command()(verb)
    for name, target in project()["project"]["entry-points"]["rapport.commands"].items():
        module, _, attribute = target.partition(":")
        app.add_typer(getattr(import_module(module), attribute), name=name)
    return typer.main.get_command(app)


def parse(command: Any, arguments: list[str], parent: Any = None) -> None:
    """Take a command line apart as it would be run, and run nothing. Raises TyperException."""
    context = command.make_context("rapport", list(arguments), parent=parent)
    if hasattr(command, "resolve_command"):
        _, inner, left = command.resolve_command(context, [*context._protected_args, *context.args])
        parse(inner, left, context)


RAPPORT = [(page, line) for page in PAGES for line in commands(page, "rapport")]


@pytest.mark.parametrize(("page", "arguments"), RAPPORT, ids=[" ".join(line) for _, line in RAPPORT])
def test_a_command_that_a_page_shows_can_be_given(page: Path, arguments: list[str]) -> None:
    try:
        parse(root(), arguments)
    except TyperException as wrong:
        pytest.fail(f"{shown(page)}: rapport {' '.join(arguments)}: {wrong}")


def test_a_command_that_does_not_exist_would_be_noticed() -> None:
    for line in ("ingest quarantine purge", "segments list --colour", "kpi show", "segments members warm --limit many"):
        with pytest.raises(TyperException):
            parse(root(), line.split())


def test_the_services_that_a_page_starts_are_there() -> None:
    started = {line[1] for page in PAGES for line in commands(page, "python") if line[0] == "-m"}
    assert started == {f"services.{path.parent.name}" for path in (ROOT / "services").glob("*/__main__.py")}


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_a_variable_that_a_page_names_is_a_setting(page: Path) -> None:
    known = {f"{PREFIX}{field.upper()}" for field in RuntimeSettings.model_fields} | BESIDE_SETTINGS
    for kind in settings_of(settings_modules()):
        service = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__.removesuffix("Settings")).upper()
        known |= {f"{PREFIX}{service}_{field.upper()}" for field in kind.model_fields}
        known |= {f"{PREFIX}{field.upper()}" for field in kind.model_fields}  # which every service falls back to
    named = set(re.findall(r"\bCRM_[A-Z_]+[A-Z]\b", page.read_text("utf-8"))) - {"CRM_X"}
    assert named <= known


FILES = [(match["path"], match["text"]) for page in PAGES for match in YAML.finditer(page.read_text("utf-8"))]
VALIDATE = {"segments": ["segments", "validate"], "campaigns": ["engagement", "campaigns", "validate"]}


@pytest.mark.parametrize(("path", "text"), FILES, ids=[path for path, _ in FILES])
def test_a_file_that_a_page_shows_is_valid(path: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / Path(path).name
    file.write_text(text, "utf-8")
    command: list[str | Path] = [Path(sys.executable).with_name("rapport"), *VALIDATE[Path(path).parent.name], file]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert file.stem in run.stdout


def test_the_name_that_the_page_adds_belongs_to_its_family() -> None:
    (edit,) = EDIT.finditer((DOCS / "how-to" / "add-an-event-name.md").read_text("utf-8"))
    source = (ROOT / edit["path"]).read_text("utf-8")
    assert source.count(edit["old"]) == 1
    changed: dict[str, object] = {"__name__": "changed"}
    exec(compile(source.replace(edit["old"], edit["new"]), edit["path"], "exec"), changed)  # noqa: S102 - our own code
    family_of = changed["family_of"]
    assert callable(family_of)
    assert family_of("Wishlist Shared") == Family.BROWSE
    assert family_of("Wishlist Burnt") == Family.GENERIC


def test_every_test_that_an_explanation_names_is_there() -> None:
    defined = {
        name
        for path in files(".py")
        if path.name.startswith("test_")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    for page in (DOCS / "explanation").glob("*.md"):
        named = set(re.findall(r"`(test_\w+)`", page.read_text("utf-8")))
        assert named
        assert named <= defined


def test_an_explanation_names_the_test_that_kills_the_mutant_beside_it() -> None:
    rows = re.findall(
        r"\| (`test_.*`) \| `(tests/mutants/[\w-]+\.patch)` \|",
        (DOCS / "explanation/exactly-once.md").read_text("utf-8"),
    )
    assert len(rows) > 5
    for tests, patch in rows:
        killers = re.findall(r"^Killed-by: .*::(\w+)$", (ROOT / patch).read_text("utf-8"), re.MULTILINE)
        assert set(killers) & set(re.findall(r"test_\w+", tests)), patch


def test_every_table_of_the_runtime_is_explained() -> None:
    created = set(re.findall(r"CREATE TABLE \{schema\}\.(\w+)", "".join(RUNTIME_TABLES_V1)))
    explained = set(
        re.findall(r"^\| `(\w+)` \|", (DOCS / "explanation/exactly-once.md").read_text("utf-8"), re.MULTILINE)
    )
    assert explained == created


def test_every_page_is_on_the_map() -> None:
    linked = (DOCS / "README.md").read_text("utf-8")
    for page in (*PAGES, *(DOCS / "explanation").glob("*.md"), *(DOCS / "reference").glob("*.md")):
        assert f"({page.relative_to(DOCS).as_posix()})" in linked
