"""`make mutants`: run each mutant's tests against a broken copy; exits 1 unless each fares as its patch says."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.local.temporary import temporary_stack
from tests.mutants.catalogue import BadPatchError, Fate, Mutant, mutants
from tests.mutants.copies import applies, apply, copy_tree, revert

ALL_PASSED, SOME_FAILED = 0, 1
LONGEST_SECONDS = 600
BASELINE_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    found: str
    as_expected: bool
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only see whether each patch still applies")
    parser.add_argument("--list", action="store_true", help="list the mutants and their tests")
    parser.add_argument("--only", default="", metavar="TEXT", help="those whose file name holds TEXT")
    arguments = parser.parse_args()
    try:
        chosen = [mutant for mutant in mutants() if arguments.only in mutant.path.name]
    except BadPatchError as error:
        say(str(error))
        return 1
    if arguments.list:
        for mutant in chosen:
            say(f"{mutant.path.stem}: {mutant.title}\n    {mutant.fate.value} by {', '.join(mutant.tests)}")
        return 0
    return check(chosen) if arguments.check else run(chosen)


def check(chosen: Sequence[Mutant]) -> int:
    stale = [(mutant, why) for mutant in chosen if (why := applies(mutant.path))]
    for mutant, why in stale:
        say(f"{mutant.path.name} does not apply any more: {why}")
    return 1 if stale else 0


def run(chosen: Sequence[Mutant]) -> int:
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder) / "tree"
        copy_tree(tree)
        with temporary_stack(Path(folder) / "stack") as servers:
            addresses = servers.addresses()
            assert addresses is not None
            environment = {
                **os.environ,
                "CRM_KAFKA_BOOTSTRAP_SERVERS": addresses.kafka,
                "CRM_DATABASE_URL": addresses.database_url,
            }
            every = sorted({test for mutant in chosen for test in mutant.tests})
            say(f"baseline: {len(every)} tests on the unbroken copy")
            code, output = pytest(every, tree, environment, BASELINE_SECONDS)
            if code != ALL_PASSED:
                say(f"{output}\nThe baseline is not green: nothing can be said of any mutant.")
                return 1
            verdicts = [judge(mutant, tree, environment) for mutant in chosen]
    wrong = [verdict for verdict in verdicts if not verdict.as_expected]
    killed = sum(verdict.found == Fate.KILLED.value for verdict in verdicts)
    say(f"{len(verdicts)} mutants: {killed} killed, {len(verdicts) - killed} not; {len(wrong)} not as expected")
    return 1 if wrong else 0


def judge(mutant: Mutant, tree: Path, environment: dict[str, str]) -> Verdict:
    start = time.monotonic()
    apply(mutant.path, tree)
    try:
        # One by one: every test that a patch names must notice, not just one of them.
        results = [pytest([test], tree, environment) for test in mutant.tests]
    finally:
        revert(mutant.path, tree)
    codes = {code for code, _ in results}
    found = {frozenset({SOME_FAILED}): "killed", frozenset({ALL_PASSED}): "alive"}.get(
        frozenset(codes), f"pytest ended with {sorted(codes)}"
    )
    verdict = Verdict(mutant, found, found == mutant.fate.value, time.monotonic() - start)
    mark = "ok     " if verdict.as_expected else "WRONG  "
    say(f"{mark}{mutant.title}: expected {mutant.fate.value}, found {found} ({verdict.seconds:.0f} s)")
    if not verdict.as_expected:
        say(results[0][1])
    return verdict


def pytest(
    tests: Sequence[str], tree: Path, environment: dict[str, str], seconds: int = LONGEST_SECONDS
) -> tuple[int, str]:
    # Started in the copy, -m puts the copy's packages before the installed ones.
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *tests]
    try:
        ended = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return SOME_FAILED, f"no end within {seconds} s"
    return ended.returncode, ended.stdout[-3000:]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
