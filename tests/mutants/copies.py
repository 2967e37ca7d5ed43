"""A copy of the working tree to break, so that nothing of ours is ever left broken."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def copy_tree(target: Path) -> None:
    """Copy every file that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / name)


def applies(patch: Path, tree: Path = ROOT) -> str:
    """Return nothing when the patch applies, else what git says."""
    tried = _git_apply(["--check"], patch, tree)
    return "" if tried.returncode == 0 else tried.stderr.strip()


def apply(patch: Path, tree: Path) -> None:
    """Apply a patch to a copy."""
    _git_apply([], patch, tree).check_returncode()


def revert(patch: Path, tree: Path) -> None:
    """Take a patch back."""
    _git_apply(["--reverse"], patch, tree).check_returncode()


def _git_apply(arguments: list[str], patch: Path, tree: Path) -> subprocess.CompletedProcess[str]:
    # Not a repository of its own: else git would look for the patch's files in ours, around the copy.
    environment = {"GIT_CEILING_DIRECTORIES": str(tree.parent), "PATH": "/usr/bin:/bin:/usr/local/bin"}
    return subprocess.run(
        ["git", "apply", *arguments, str(patch)], cwd=tree, capture_output=True, check=False, text=True, env=environment
    )
