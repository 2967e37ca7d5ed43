"""Kafka's jars: downloaded once per user, verified against the lock on each use, never half."""

import contextlib
import errno
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from filelock import FileLock
from jgo.maven import Artifact, MavenContext, PythonResolver
from jgo.util import http

from shared.local.errors import DiskFullError, RegistryUnreachableError, WrongChecksumError
from shared.local.lock import KAFKA_VERSION, LockedArtifact
from shared.local.space import NEEDED, require_space

_AT_ONCE = 4  # downloads; more gains nothing on 2 cores and is rude to the registry
_TIMEOUT = 30  # seconds without an answer


def resolve(lock: tuple[LockedArtifact, ...], cache: Path, notify: Callable[[str], None]) -> list[Path]:
    """Give the jars of the lock as files whose sha256 was just verified, downloading what is missing or damaged.

    Two processes may do so at once: the second waits and finds the first one's. Raises RegistryUnreachableError,
    WrongChecksumError, DiskFullError.
    """
    folder = cache / f"kafka-{KAFKA_VERSION}"
    if not _missing(lock, folder):
        return [folder / each.filename for each in lock]
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "jars.lock"):
        missing = _missing(lock, folder)  # again: somebody else may have fetched them while we waited
        if missing:
            require_space(cache)
            notify(f"Downloading Kafka {KAFKA_VERSION}: {len(missing)} jars, once for this user …")
            _fetch_all(missing, folder, notify)
    return [folder / each.filename for each in lock]


def _missing(lock: tuple[LockedArtifact, ...], folder: Path) -> list[LockedArtifact]:
    return [each for each in lock if _sha256(folder / each.filename) != each.sha256]


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _fetch_all(missing: list[LockedArtifact], folder: Path, notify: Callable[[str], None]) -> None:
    # Beside the final folder, so that the move is a rename; a killed download leaves a folder nobody looks into.
    staging = Path(tempfile.mkdtemp(prefix="download-", dir=folder.parent))
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            tasks = [pool.submit(_fetch, each, staging, folder) for each in missing]
            try:
                for done, (task, each) in enumerate(zip(tasks, missing, strict=True), start=1):
                    task.result()
                    notify(f"  {done}/{len(missing)} {each.artifact} {each.version}")
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except OSError as error:
        if isinstance(error, requests.RequestException):
            raise RegistryUnreachableError(len(missing), folder, type(error).__name__) from error
        if error.errno == errno.ENOSPC:
            raise DiskFullError(folder, NEEDED, shutil.disk_usage(folder).free) from error
        raise
    except RuntimeError as error:  # jgo's word for an answer other than the file
        raise RegistryUnreachableError(len(missing), folder, "it does not have the file") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetch(locked: LockedArtifact, staging: Path, folder: Path) -> None:
    context = MavenContext(resolver=_LockedResolver(), repo_cache=staging, timeout=_TIMEOUT)
    downloaded = context.create_dependency(locked.coordinate).artifact.resolve()
    found = _sha256(downloaded)
    if found != locked.sha256:
        raise WrongChecksumError(locked.coordinate, locked.sha256, str(found))
    downloaded.replace(folder / locked.filename)


class _LockedResolver(PythonResolver):
    """Download only the file itself: what we trust is the lock's sha256, not the registry's sha1 beside the file."""

    def download(self, artifact: Artifact) -> Path | None:
        """Fetch one file, and let go of the connection whatever comes of it."""
        path = artifact.context.repo_cache / artifact.component.path_prefix / artifact.filename
        for base in artifact.context.remote_repos.values():
            url = f"{base}/{artifact.component.path_prefix.as_posix()}/{artifact.filename}"
            with contextlib.closing(http.get(url, stream=True, timeout=artifact.context.timeout)) as response:
                if response.ok:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with path.open("wb") as sink:
                        sink.writelines(response.iter_content(65536))
                    return path
        return None
