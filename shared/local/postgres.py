"""The embedded PostgreSQL: the real server from a wheel, with our own initdb, start and stop."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

import psycopg
from psycopg import sql

from shared.local.embedded import EmbeddedServer
from shared.local.errors import LostPasswordError, WrongPasswordError
from shared.local.ports import LOOPBACK
from shared.local.postgres_files import programs, server_account, server_home
from shared.local.postgres_remains import clear_remains
from shared.local.postgres_settings import INCLUDE, rapport_conf
from shared.local.processes import ProcessIdentity, bare_environment, launch
from shared.local.readiness import database_problem
from shared.local.state import write_whole
from shared.local.status import Notify

OWNER = "rapport_owner"
DATABASE = "rapport"
_INITDB_SECONDS = 120
_Steps = Sequence[tuple[signal.Signals, float]]


class StopMode(Enum):
    """How PostgreSQL stops; the words of pg_ctl."""

    FAST = "fast"
    """Roll back what is open, write a checkpoint."""
    IMMEDIATE = "immediate"
    """End at once, as in a crash: the next start recovers."""


class EmbeddedPostgres(EmbeddedServer):
    """PostgreSQL of one root: on 127.0.0.1, scram-sha-256, UTF-8 and code point order whatever the machine's locale.

    Its database `rapport` belongs to `rapport_owner`, here a superuser. As root the server runs as `nobody`, with its
    data under /var/lib/rapport when that account cannot enter the root.
    """

    name = "postgres"
    ports_needed = 1
    start_seconds = 120.0  # 1 is usual; a recovery reads what the last checkpoint left

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.account = server_account()
        self.secret = self.root / "secrets" / "postgres-password"

    @property
    def home(self) -> Path:
        """The folder of the server's files, which the server's account can enter."""
        return server_home(self.root, self.account)

    @property
    def data(self) -> Path:
        """The data folder, as PostgreSQL calls it."""
        return self.home / "data"

    @property
    def address(self) -> str | None:
        """Give the URL of the database, password included; None before the first start."""
        return self._url(DATABASE)

    @property
    def marker(self) -> str:
        """Mark the process by a setting that only Rapport has."""
        return f"--rapport.root={self.root}"

    def _url(self, database: str) -> str | None:
        port = self.port
        if port is None or not self.secret.exists():
            return None
        return f"postgresql://{OWNER}:{self.secret.read_text()}@{LOOPBACK}:{port}/{database}"

    def prepare(self, ports: Sequence[int], notify: Notify) -> None:
        """Create the data folder once, with a random password; write the settings."""
        del notify
        link = self.root / "postgres"
        if self.home != link and not link.is_symlink():
            shutil.rmtree(self.home, ignore_errors=True)  # of a root at this path that was deleted since
            link.symlink_to(self.home)
        if not self.data.exists():
            self._initialise()
        elif not self.secret.exists():
            raise LostPasswordError(self.secret, self.data)
        clear_remains(self.data)
        configuration = self._run("pg_config", "--configure")
        settings = self.data / "rapport.conf"
        write_whole(settings, rapport_conf(ports[0], lz4="--with-lz4" in configuration))
        self._give(settings)

    def _initialise(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self._give(self.home)
        password = secrets.token_hex(24)
        self.secret.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self.secret, password, mode=0o600)
        handed = self.home / "password"
        handed.unlink(missing_ok=True)
        write_whole(handed, password, mode=0o600)
        self._give(handed)
        # Into another folder, which then takes its place as a whole: a killed initdb leaves nothing half.
        fresh = self.home / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            self._run(
                "initdb",
                f"--pgdata={fresh}",
                f"--username={OWNER}",
                f"--pwfile={handed}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
            )
        finally:
            handed.unlink()
        with (fresh / "postgresql.conf").open("a") as settings:
            settings.write(INCLUDE)
        fresh.rename(self.data)

    def _give(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    def _run(self, program: str, *arguments: str) -> str:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as sink:
            try:
                return subprocess.run(  # noqa: S603 - our own command line
                    [str(programs(self.account) / "bin" / program), *arguments],
                    stdout=subprocess.PIPE,
                    stderr=sink,
                    stdin=subprocess.DEVNULL,
                    cwd="/",
                    env=bare_environment(self.home),
                    timeout=_INITDB_SECONDS,
                    check=True,
                    text=True,
                    user=None if self.account is None else self.account.uid,
                    group=None if self.account is None else self.account.gid,
                    extra_groups=None if self.account is None else [],
                ).stdout
            except (subprocess.SubprocessError, OSError) as error:
                raise self.start_error(f"{program} failed ({type(error).__name__})") from error

    def spawn(self, ports: Sequence[int]) -> ProcessIdentity | None:
        """Start the server's main process."""
        del ports  # they are in the configuration
        return launch(
            [str(programs(self.account) / "bin" / "postgres"), "-D", str(self.data), self.marker],
            log=self.log,
            environment=bare_environment(self.home),
            account=self.account,
        )

    def problem(self) -> str | None:
        """Connect to the server, whatever databases it has."""
        url = self._url("postgres")
        if url is None:
            return "its password is gone"
        error = database_problem(url)
        if error is None:
            return None
        if "password authentication failed" in str(error):
            raise WrongPasswordError(
                f"{LOOPBACK}:{self.port}",
                f"{self.secret} is not the password of the data in {self.data}: put the right one back, "
                "or run `rapport down` and delete both to start with an empty database.",
            ) from error
        return str(error)

    def settle(self) -> None:
        """Create the database unless it is there."""
        with psycopg.connect(str(self._url("postgres")), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def erase(self) -> None:
        """Stop it and delete its data, with the password, which is worth nothing without them; the log stays."""
        with self.state.exclusively():
            self.stop()
            for folder in (self.home, self.secret.parent):
                shutil.rmtree(folder, ignore_errors=True)
            if (self.root / "postgres").is_symlink():
                (self.root / "postgres").unlink()

    def stop_steps(self) -> _Steps:
        """SIGINT is pg_ctl's fast, SIGQUIT its immediate stop."""
        return [(signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)]

    def stop(self, mode: StopMode = StopMode.FAST) -> None:
        """Stop in the given mode; nothing when it does not run."""
        with self.state.exclusively():
            self._end(self.stop_steps()[0 if mode is StopMode.FAST else 1 :])

    def extensions(self) -> tuple[str, ...]:
        """List the extensions that these programs bring (pg_trgm and the like)."""
        folder = programs(self.account) / "share" / "extension"
        return tuple(sorted(path.stem for path in folder.glob("*.control")))
