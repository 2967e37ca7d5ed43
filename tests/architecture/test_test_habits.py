"""What every test keeps to: it waits for conditions, never for time, and it runs."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import settings

from tests.architecture.repository import ROOT, python_files, shown

MARKS = {"unit", "property", "contract", "architecture", "integration", "e2e", "faults", "benchmarks"}
NOT_RUN = {"skip", "skipif", "xfail", "importorskip"}


def is_sleep(call: ast.Call) -> bool:
    """Say whether a call pauses for a time; sleep(0) only lets others run."""
    if ast.unparse(call.func).split(".")[-1] != "sleep":
        return False
    return not (call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0)


def is_check(node: ast.AST) -> bool:
    """Say whether a node can fail a test: an assertion, an expected error, or a check by a named function."""
    if isinstance(node, ast.Call):
        return re.search(r"raises|warns|assert|expect|check|verify|fail|until|wait", ast.unparse(node.func)) is not None
    return isinstance(node, ast.Assert)


def sleeps_without_a_condition(source: str) -> list[int]:
    """Find the lines that sleep outside of a `while`: there a sleep is the pause between two looks."""
    tree = ast.parse(source)
    between_looks = {id(inner) for loop in ast.walk(tree) if isinstance(loop, ast.While) for inner in ast.walk(loop)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_sleep(node)]
    return [call.lineno for call in calls if id(call) not in between_looks]


@pytest.mark.parametrize("path", python_files("tests"), ids=shown)
def test_a_test_waits_for_a_condition_not_for_time(path: Path) -> None:
    lines = sleeps_without_a_condition(path.read_text("utf-8"))
    assert [f"{shown(path)}:{line}" for line in lines] == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import time\ntime.sleep(1)", [2]),
        ("from asyncio import sleep\nasync def f():\n    await sleep(0.1)", [3]),
        ("for x in range(3):\n    time.sleep(x)", [2]),
        ("while not ready():\n    time.sleep(0.05)", []),
        ("async def f():\n    await asyncio.sleep(0)", []),
    ],
)
def test_a_bare_sleep_is_told_from_a_pause_between_looks(source: str, lines: list[int]) -> None:
    assert sleeps_without_a_condition(source) == lines


@pytest.mark.parametrize("path", python_files("tests"), ids=shown)
def test_no_test_is_skipped_or_expected_to_fail(path: Path) -> None:
    found = [
        f"{shown(path)}:{node.lineno}: {node.attr}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in NOT_RUN
        if ast.unparse(node.value) in {"pytest", "pytest.mark", "unittest"}
    ]
    assert found == []


def test_every_test_lies_in_a_folder_that_marks_it() -> None:
    lost = [
        shown(path)
        for path in python_files("tests")
        if path.name.startswith("test_") and path.relative_to(ROOT).parts[1] not in MARKS
    ]
    assert lost == []


def test_hypothesis_tries_a_hundred_times_harder_when_asked() -> None:
    everyday, deep = settings.get_profile("everyday"), settings.get_profile("deep")
    assert deep.max_examples == 100 * everyday.max_examples
    assert everyday.deadline is None


@pytest.mark.parametrize("path", [p for p in python_files("tests") if p.name.startswith("test_")], ids=shown)
def test_a_test_is_a_sentence_and_can_fail(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test"):
            continue
        where = f"{shown(path)}:{node.lineno}: {node.name}"
        assert node.name.count("_") >= 3, f"{where} is no sentence"
        assert any(is_check(inner) for inner in ast.walk(node)), f"{where} checks nothing"
