"""Nothing in the repository depends on, or tells of, the machine that it was written on."""

import re
from pathlib import Path

import pytest
import yaml

from tests.architecture.repository import ROOT, files, shown

# Put together here, so that this file does not name what it forbids.
HOSTS = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("repo1.maven", "org"),
    ("repo.maven.apache", "org"),
    ("registry.npmjs", "org"),
    ("proxy.golang", "org"),
    ("deb.debian", "org"),
    ("ghcr", "io"),
    ("quay", "io"),
)
REGISTRY = re.compile("|".join(re.escape(".".join(host)) for host in HOSTS))
MACHINE = re.compile(r"(?<![\w.$}~-])/(?:work|root|tmp|home|Users)\b")
SECRET = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def texts() -> list[tuple[Path, str]]:
    """Read every file that is text."""
    found = []
    for path in files():
        raw = path.read_bytes()
        if b"\0" not in raw:
            found.append((path, raw.decode("utf-8")))
    return found


@pytest.mark.parametrize(
    ("what", "pattern"), [("a registry's host", REGISTRY), ("a path of a machine", MACHINE), ("a key", SECRET)]
)
def test_no_file_names(what: str, pattern: re.Pattern[str]) -> None:
    found = [
        f"{shown(path)}:{number}: {what}: {match.group()}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("see /" + "work/main/x.py", True),
        ("cd /" + "tmp", True),
        ("'/" + "root/.cache'", True),
        ("docs/home/plan.md", False),
        ("how /temporary/ it is", False),
    ],
)
def test_a_path_of_a_machine_is_told_from_one_of_ours(line: str, *, found: bool) -> None:
    assert bool(MACHINE.search(line)) is found


def test_text_files_end_with_one_newline_and_no_line_ends_with_a_blank() -> None:
    untidy = [
        shown(path)
        for path, text in texts()
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".sql", ".in", ""} and path.parts[-2] != "bad"
        if text and (not text.endswith("\n") or text.endswith("\n\n") or re.search(r"[ \t]+$", text, re.MULTILINE))
    ]
    assert untidy == []


def test_yaml_that_we_ship_is_yaml() -> None:
    paths = [path for path in (*files(".yaml"), *files(".yml")) if "bad" not in path.parts]
    assert paths
    for path in paths:
        assert list(yaml.safe_load_all(path.read_text("utf-8"))), f"{shown(path)} is empty"


def test_the_licence_is_the_one_that_the_package_names() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
