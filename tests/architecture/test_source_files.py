"""What every source file keeps to, found by reading it."""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, files, project, python_files, shown

LONGEST = 300
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "constants", "manager", "managers", "misc"}

# What silences a finding, when it names the rule; the rest of the comment is the reason.
_SILENCER = re.compile(r"type: ignore\[[a-z, -]+\]|(?:ruff: )?noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*")
_BARE = re.compile(r"\bnoqa\b|type:\s*ignore|pragma:\s*no\s*cover", re.IGNORECASE)

# Calls whose answer differs from one run to the next.
READS_THE_WORLD = {"now", "utcnow", "today", "time", "monotonic", "uuid1", "uuid4", "uuid6", "uuid7", "urandom"}


def comments(text: str) -> list[tuple[int, str]]:
    """Find the comments of a source text, with their line numbers."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def is_explained(comment: str) -> bool:
    """Say whether a comment that silences a finding names the rule and gives a reason; others do."""
    rest = _SILENCER.sub("", comment)
    if _BARE.search(rest):
        return False
    return rest == comment or re.search(r"[A-Za-z]{2}", rest) is not None


@pytest.mark.parametrize("path", python_files(), ids=shown)
def test_a_file_holds_one_idea_in_at_most_300_lines(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LONGEST, f"{shown(path)} has {lines} lines: split it by idea"


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = [
        shown(path)
        for path in python_files()
        if VAGUE & {part.removesuffix(".py").lstrip("_") for part in path.relative_to(ROOT).parts}
    ]
    assert vague == []


def test_every_silenced_finding_names_its_rule_and_its_reason() -> None:
    bare = [
        f"{shown(path)}:{number}: {comment}"
        for path in python_files()
        for number, comment in comments(path.read_text("utf-8"))
        if not is_explained(comment)
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("comment", "explained"),
    [
        ("# noqa" + ": S603 - the Makefile's own words", True),
        ("# noqa" + ": S603, S607 - ours", True),
        ("# noqa", False),
        ("# noqa" + ": S603", False),
        ("# type: " + "ignore[arg-type]  # faust has no types", True),
        ("# type: " + "ignore[arg-type]  # noqa" + ": S603 - faust has no types", True),
        ("# type: " + "ignore  # faust has no types", False),
        ("# type: " + "ignore[arg-type]", False),
        ("# what this is for", True),
    ],
)
def test_a_reason_is_told_from_a_bare_marker(comment: str, *, explained: bool) -> None:
    assert is_explained(comment) is explained


@pytest.mark.parametrize(
    "path", [p for p in python_files("services") if "domain" in p.relative_to(ROOT).parts], ids=shown
)
def test_a_domain_is_told_the_time_and_ids(path: Path) -> None:
    asked = [
        f"{shown(path)}:{node.lineno}: {node.func.attr}()"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READS_THE_WORLD
        if isinstance(node.func.value, ast.Name) and node.func.value.id in {"datetime", "date", "time", "uuid", "os"}
    ]
    assert asked == []


def test_every_rule_of_ruff_left_out_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.pydocstyle]")]
    lines = [
        line for line in block.splitlines() if re.match(r'^\s*"[A-Z]+\d*",', line) or re.search(r'" = \[".*"\]', line)
    ]
    assert lines, "the pattern finds nothing any more"
    assert [line for line in lines if "#" not in line] == []


def test_every_rule_of_ruff_is_on() -> None:
    assert project()["tool"]["ruff"]["lint"]["select"] == ["ALL"]
    assert project()["tool"]["mypy"]["strict"] is True
    assert project()["tool"]["pytest"]["ini_options"]["filterwarnings"] == ["error"]


def test_no_python_file_is_empty() -> None:
    empty = [shown(path) for path in files(".py") if not path.read_text("utf-8").strip()]
    assert empty == []
