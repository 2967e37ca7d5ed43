"""Each import contract names what exists, and breaks when it should.

import-linter accepts a misspelt module without a word, so a contract that was never seen broken proves nothing.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.repository import ROOT, SERVICES, project

CONTRACTS: list[dict[str, Any]] = project()["tool"]["importlinter"]["contracts"]

# Named so that they stay out, although nothing of ours brings them into the environment.
BANNED_THOUGH_ABSENT = {"fastapi", "httpx", "starlette", "uvicorn"}


@dataclass(frozen=True, slots=True)
class Seed:
    """A line that breaks one contract when it stands in one module."""

    contract: str
    module: str
    line: str


SEEDS = [
    Seed("services-apart", "services/ingest/seeded.py", "import services.profile"),
    Seed("services-apart", "services/metrics/seeded.py", "from services.engagement import domain"),
    Seed("service-layers", "shared/contracts/seeded.py", "import shared.runtime"),
    Seed("service-layers", "shared/runtime/seeded.py", "import services.profile"),
    Seed("tool-layers", "shared/local/seeded.py", "import shared.cli"),
    Seed("tool-layers", "shared/runtime/seeded.py", "import shared.local"),
    Seed("tool-layers", "shared/cli/seeded.py", "import shared.demo"),
    Seed("tool-layers", "shared/demo/seeded.py", "import shared.cli"),
    Seed("services-know-no-tool", "services/segmenter/seeded.py", "import shared.cli"),
    Seed("services-know-no-tool", "services/ingest/seeded.py", "import shared.local"),
    Seed("services-know-no-tool", "services/engagement/seeded.py", "import shared.demo"),
    Seed("shared-knows-no-service", "shared/cli/seeded.py", "import services.ingest"),
    Seed("shared-knows-no-service", "shared/contracts/seeded.py", "from services.profile import domain"),
    Seed("pure-core", "services/profile/domain/seeded.py", "import psycopg"),
    Seed("pure-core", "services/metrics/domain/seeded.py", "from asyncio import sleep"),
    Seed("pure-core", "shared/contracts/seeded.py", "import aiokafka.structs"),
    Seed("domain-knows-no-runtime", "services/segmenter/domain/seeded.py", "import shared.runtime"),
    Seed("faust-at-the-edge", "services/profile/handlers.py", "import faust"),
    Seed("faust-at-the-edge", "services/profile/domain/seeded.py", "from mode import Service"),
    Seed("faust-at-the-edge", "shared/local/seeded.py", "import mode"),
    Seed("handlers-know-no-framework", "services/ingest/handlers.py", "from aiokafka import AIOKafkaProducer"),
    Seed("handlers-know-no-framework", "services/engagement/handlers.py", "import faust"),
    Seed("no-extra-in-production", "services/engagement/seeded.py", "import aiosmtpd"),
    Seed("no-extra-in-production", "shared/runtime/seeded.py", "import testcontainers.kafka"),
]

PERMITTED = [
    Seed("faust-at-the-edge", "services/profile/app.py", "import faust"),
    Seed("faust-at-the-edge", "shared/runtime/seeded.py", "from mode import Service"),
    Seed(
        "domain-knows-no-runtime", "services/ingest/domain/seeded.py", "from shared.runtime.errors import PoisonError"
    ),
    Seed("pure-core", "services/ingest/domain/seeded.py", "from shared.runtime.errors import PoisonError"),
    Seed("tool-layers", "shared/demo/seeded.py", "import shared.local"),
    Seed("service-layers", "services/ingest/seeded.py", "import shared.contracts"),
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy what import-linter reads, to be spoilt."""
    for package in ("services", "shared"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(tree: Path, *contracts: str) -> str:
    """Run import-linter over a tree, on these contracts or all of them, and return what it prints."""
    chosen = [argument for contract in contracts for argument in ("--contract", contract)]
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache", *chosen]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=120, check=False)
    return run.stdout + run.stderr


def sow(tree: Path, seed: Seed) -> str:
    """Add the seed's line to its module and return the name of the contract that it is about."""
    module = tree / seed.module
    with module.open("a", encoding="utf-8") as file:
        file.write(f"\n{seed.line}\n")
    return next(str(contract["name"]) for contract in CONTRACTS if contract["id"] == seed.contract)


def names(value: object) -> set[str]:
    """Collect every module that an option of a contract names."""
    lines = value if isinstance(value, list) else [value]
    return {name for line in lines for name in re.split(r" *(?:->|[|:]) *", str(line))}


def modules_named() -> set[str]:
    """Collect every module that any contract names."""
    options = ("modules", "layers", "source_modules", "forbidden_modules", "ignore_imports")
    return {name for c in CONTRACTS for option in options if option in c for name in names(c[option])}


def is_there(name: str) -> bool:
    """Say whether a module of ours, wildcards included, stands for at least one file."""
    steps = name.split(".")
    if steps[-1] == "**":
        return any(ROOT.glob("/".join(steps[:-1]) + "/*.py"))
    return any(ROOT.glob("/".join(steps) + ".py")) or any(ROOT.glob("/".join(steps) + "/__init__.py"))


@pytest.mark.parametrize("name", sorted(n for n in modules_named() if n.startswith(("services", "shared"))))
def test_a_contract_names_only_modules_of_ours_that_exist(name: str) -> None:
    assert is_there(name), f"{name} is named by a contract and stands for nothing"


@pytest.mark.parametrize("name", sorted(n for n in modules_named() if not n.startswith(("services", "shared"))))
def test_a_contract_names_only_libraries_that_exist(name: str) -> None:
    # A library that replaces its own module, as faust does, cannot be looked for once it was imported.
    there = name in BANNED_THOUGH_ABSENT or name in sys.modules or importlib.util.find_spec(name) is not None
    assert there, f"{name} is no library"


def test_each_service_has_its_own_place_in_the_contracts() -> None:
    apart = next(contract for contract in CONTRACTS if contract["id"] == "services-apart")
    found = {path.parent.name for path in (ROOT / "services").glob("*/__init__.py")}
    assert set(apart["modules"]) == {f"services.{name}" for name in SERVICES}
    assert found == set(SERVICES)


def test_each_contract_has_a_seeded_violation() -> None:
    assert {contract["id"] for contract in CONTRACTS} == {seed.contract for seed in SEEDS}


def test_the_tree_as_it_is_keeps_every_contract(copy: Path) -> None:
    said = lint(copy)
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in said, said


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{seed.contract}: {seed.line} in {seed.module}")
def test_a_seeded_violation_breaks_its_contract(copy: Path, seed: Seed) -> None:
    name = sow(copy, seed)
    said = lint(copy, seed.contract)
    assert f"{name} BROKEN" in said, said


@pytest.mark.parametrize("seed", PERMITTED, ids=lambda seed: f"{seed.contract}: {seed.line} in {seed.module}")
def test_what_a_contract_permits_keeps_it(copy: Path, seed: Seed) -> None:
    name = sow(copy, seed)
    said = lint(copy, seed.contract)
    assert f"{name} KEPT" in said, said
