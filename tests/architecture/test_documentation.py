"""What the documents say is there: commands, links, decisions."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, SERVICES, files, project, shown

DOCUMENTS = [path for path in files(".md") if path.parts[-2] != "bad"]
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
ADR = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


def verbs() -> dict[str, str]:
    """Read the verbs that bare `make` prints, each with its line."""
    printed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
    return dict(re.findall(r"^  ([a-z-]+) +(\S.*)$", printed, re.MULTILINE))


def shell_lines(path: Path) -> list[str]:
    """Collect the commands that a document shows."""
    blocks = [match["body"] for match in FENCE.finditer(path.read_text("utf-8")) if match["language"] == "sh"]
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def anchors(path: Path) -> set[str]:
    """Name the headings of a document as links know them."""
    headings = re.findall(r"^#+ +(.*)$", FENCE.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_bare_make_prints_every_verb_with_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert set(verbs()) == set(phony[1].split()) - {"help"}
    assert set(verbs()) == {
        *("setup", "check", "test", "test-deep", "demo", "bench", "faults", "mutants", "lock", "up", "down", "clean")
    }


def test_the_readme_starts_with_its_two_commands() -> None:
    commands = [line.split("#")[0].strip() for line in shell_lines(ROOT / "README.md")]
    assert commands[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_a_document_names_only_verbs_that_make_knows(path: Path) -> None:
    text = path.read_text("utf-8")
    named = set(re.findall(r"`make ([a-z][a-z-]*)", text))
    named |= {match[1] for line in shell_lines(path) if (match := re.match(r"make ([a-z][a-z-]*)", line.strip()))}
    assert named <= set(verbs())


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_every_link_within_the_repository_leads_somewhere(path: Path) -> None:
    for match in LINK.finditer(FENCE.sub("", path.read_text("utf-8"))):
        target, _, anchor = match["target"].partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{shown(path)}: {match['target']} leads nowhere"
        assert there.is_relative_to(ROOT), f"{shown(path)}: {match['target']} leads out of the repository"
        assert not anchor or anchor in anchors(there), f"{shown(path)}: {match['target']} has no such heading"


@pytest.mark.parametrize("path", DOCUMENTS, ids=shown)
def test_every_path_of_ours_that_a_document_names_exists(path: Path) -> None:
    text = FENCE.sub("", path.read_text("utf-8"))
    named = re.findall(r"`((?:services|shared|tests|config|docs|requirements)/[\w./<>-]*)`", text)
    for name in named:
        for service in SERVICES if "<name>" in name else ("",):
            there = ROOT / name.replace("<name>", service)
            assert there.exists(), f"{shown(path)} names {name}"


@pytest.mark.parametrize("path", ADR, ids=lambda path: path.stem)
def test_a_decision_says_why_and_what_was_rejected(path: Path) -> None:
    text = path.read_text("utf-8")
    number = int(path.stem.split("-")[0])
    assert text.startswith(f"# {number}. ")
    assert re.search(r"^(Accepted|Superseded by \[ADR \d+\]\([^)]*\)), \d{4}-\d\d-\d\d\.$", text, re.MULTILINE)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Rejected", "Consequences"]
    rejected = text[text.index("## Rejected") : text.index("## Consequences")]
    assert len(re.findall(r"^- \*\*", rejected, re.MULTILINE)) >= 2
    title = text.splitlines()[0].split(". ", 1)[1]
    assert f"[{number}]({path.name}) | {title} |" in (path.parent / "README.md").read_text("utf-8")


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.stem.split("-")[0]) for path in ADR] == list(range(1, len(ADR) + 1))


def test_each_library_that_services_need_is_explained() -> None:
    text = (ROOT / "docs" / "adr" / "0005-libraries.md").read_text("utf-8")
    declared = project()["project"]
    lines = [*declared["dependencies"], *declared["optional-dependencies"]["local"]]
    names = [re.split(r"[\[<>=]", line)[0] for line in lines]
    assert [name for name in names if name.lower() not in text.lower()] == []


def test_each_service_begins_with_its_charter() -> None:
    for service in SERVICES:
        text = (ROOT / "services" / service / "__init__.py").read_text("utf-8")
        for word in ("Consumes:", "Produces:", "Owns:", "Never:"):
            assert f"\n{word} " in text, f"services/{service} does not say what it {word.rstrip(':').lower()}"


def test_the_version_s_changes_are_told() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    version = project()["project"]["version"]
    assert "## [Unreleased]" in text or f"## [{version}]" in text
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
