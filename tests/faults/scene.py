"""One row's world: a database and topics of its own, its workers and its feed; all of it ends with the row."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from shared.local.stack import Stack
from shared.runtime.migrations import migrate
from tests.faults import invariants, kafka
from tests.faults.awaiting import NeverHappenedError, until
from tests.faults.feed import Feed, Shape
from tests.faults.sent import Ledger
from tests.faults.subjects import Connection, Subject
from tests.faults.worker import Worker

SETTLE_SECONDS = 60.0
HEAL_SECONDS = 15.0
FEED = Shape()


@dataclass
class Arena:
    """The servers that all rows share; rows that break a server need the `stack` that they belong to."""

    kafka: str
    database_url: str
    folder: Path
    stack: Stack | None = None
    _templates: set[str] = field(default_factory=set)
    _scenes: int = 0

    @contextmanager
    def scene(self, subject: Subject, name: str) -> Iterator["Scene"]:
        """Set a row's world up and clear it away; the logs stay in its folder."""
        self._scenes += 1
        folder = self.folder / f"{self._scenes:02d}-{name.replace(' ', '-')}"
        folder.mkdir(parents=True)
        database = f"faults_{subject.service}_{self._scenes:02d}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", database, self._template(subject))
        kafka.renew_topics(self.kafka, (*subject.inputs, *subject.outputs))
        scene = Scene(self, subject, self.url_of(database), folder)
        try:
            yield scene
        finally:
            scene.close()
            self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)

    def url_of(self, database: str) -> str:
        """Return the address of another database on this server."""
        head, _, tail = self.database_url.rpartition("/")
        _, mark, options = tail.partition("?")
        return f"{head}/{database}{mark}{options}"

    def close(self) -> None:
        """Drop what rows were copied from."""
        for name in self._templates:
            self._execute("DROP DATABASE IF EXISTS {}", name)
        self._templates.clear()

    def _template(self, subject: Subject) -> str:
        name = f"faults_{subject.service}_template"
        if name not in self._templates:
            self._execute("DROP DATABASE IF EXISTS {}", name)
            self._execute("CREATE DATABASE {}", name)
            self._templates.add(name)
            migrate(self.url_of(name), subject.history)
        return name

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class Scene:
    """What a row plays in."""

    def __init__(self, arena: Arena, subject: Subject, database_url: str, folder: Path) -> None:
        self.arena = arena
        self.subject = subject
        self.kafka = arena.kafka
        self.database_url = database_url
        self.folder = folder
        self.ledger = Ledger()
        self.workers: list[Worker] = []
        self._feeds: list[Feed] = []
        self._fired = folder / "fired.jsonl"

    def worker(self, name: str, failpoint: str = "", **environment: str) -> Worker:
        """Start a process of the service; `failpoint` is `POINT=ACTION@N`."""
        if failpoint:
            environment["CRM_FAILPOINTS"] = f"{self.subject.service}.{failpoint}"
            environment["CRM_FAILPOINTS_LOG"] = str(self._fired)
        settings = {
            "CRM_KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "CRM_DATABASE_URL": self.database_url,
            **self.subject.environment,
            **environment,
        }
        worker = Worker.start(name, self.subject.module, settings, self.folder / f"{name}.log")
        self.workers.append(worker)
        return worker

    def feed(self, shape: Shape = FEED) -> Feed:
        """Make a feed that goes on where the last one ended."""
        feed = Feed(self.kafka, self.subject, self.ledger, shape, self._feeds[-1].next if self._feeds else 0)
        self._feeds.append(feed)
        return feed

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Open a connection to the row's database, in the service's schema."""
        options = make_conninfo(self.database_url, options=f"-c search_path={self.subject.service}")
        with psycopg.connect(options, autocommit=True) as connection:
            yield connection

    def fired(self) -> list[dict[str, Any]]:
        """Return the failpoints that fired, from the file that they write before they act."""
        if not self._fired.exists():
            return []
        return [json.loads(line) for line in self._fired.read_text("utf-8").splitlines()]

    def wait_fired(self) -> None:
        """Wait until a failpoint fires."""
        until(self.fired, "the failpoint fires", 60.0)

    def fences(self) -> str:
        """Say which workers were fenced, or ended the transaction of one that stood in their way; empty if none."""
        told = []
        for worker in self.workers:
            actions = worker.actions()
            told += [f"{worker.name} fenced {times}x" for times in [actions["membership.fenced"]] if times]
            told += [f"{worker.name} ended a blocker {times}x" for times in [actions["claim.end"]] if times]
        return ", ".join(told)

    def settle(self) -> None:
        """Wait until everything that was sent is read, and everything that came of it is published."""

        def settled() -> bool:
            with self.connect() as connection:
                return invariants.at_end(self.kafka, connection, self.subject) and self.subject.idle(connection)

        until(settled, "all is read and published", SETTLE_SECONDS)

    def differences(self) -> list[str]:
        """Compare everything with what must be; what heals by itself (the auditor's work) is given a little time."""
        found: list[str] = []

        def none_left() -> bool:
            found[:] = self._look()
            return not found

        try:
            until(none_left, "no difference", HEAL_SECONDS)
        except NeverHappenedError:
            (self.folder / "differences.txt").write_text("\n".join(found), "utf-8")
        return found

    def own_differences(self) -> list[str]:
        """Compare only the service's own tables: the topics are not what they were."""
        with self.connect() as connection:
            return self.subject.differences(self.kafka, connection, self.ledger.copy())

    def _look(self) -> list[str]:
        sent = self.ledger.copy()
        with self.connect() as connection:
            return [
                *invariants.differences(self.kafka, connection, self.subject, sent),
                *self.subject.differences(self.kafka, connection, sent),
            ]

    def keep_evidence(self) -> None:
        """Write down the runtime's tables as they are, and where the topics end."""
        topics = [topic.name for topic in (*self.subject.inputs, *self.subject.outputs)]
        lines = [f"{place}: {end}" for place, end in kafka.ends(self.kafka, topics).items()]
        with self.connect() as connection:
            for table in ("lanes", "positions", "streams", "publications", "due"):
                rows = connection.execute(sql.SQL("SELECT * FROM {} ORDER BY 1, 2").format(sql.Identifier(table)))
                lines += [table, *(f"  {row}"[:300] for row in rows.fetchmany(50))]
        (self.folder / "tables.txt").write_text("\n".join(lines), "utf-8")

    def close(self) -> None:
        """End everything that the row started."""
        for worker in self.workers:
            worker.end()
        for feed in self._feeds:
            feed.abandon()
