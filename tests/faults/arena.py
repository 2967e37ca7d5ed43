"""The servers that all rows share, and how a row gets a database and topics of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from shared.contracts.topics import Topic
from shared.local.stack import Stack
from shared.runtime.migrations import migrate
from tests.faults import kafka
from tests.faults.scene import Scene
from tests.faults.subjects import Subject
from tests.faults.world import World

# Invariant I4: positions never go back.
_GUARD = """
    CREATE FUNCTION {schema}.faults_refuse_going_back() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.next_offset < OLD.next_offset THEN RAISE EXCEPTION 'position went back'; END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER faults_positions_never_go_back BEFORE UPDATE ON {schema}.positions
    FOR EACH ROW EXECUTE FUNCTION {schema}.faults_refuse_going_back()
"""


@dataclass
class Arena:
    """Where rows are played, one after the other; rows that break a server need the `stack` that they belong to."""

    kafka: str
    database_url: str
    folder: Path
    stack: Stack | None = None
    _templates: set[str] = field(default_factory=set)
    _scenes: int = 0

    @contextmanager
    def scene(self, subject: Subject, name: str) -> Iterator[Scene]:
        """Set a row's world up and clear it away; the logs stay in its folder."""
        self._scenes += 1
        folder = self.folder / f"{self._scenes:02d}-{name.replace(' ', '-')}"
        folder.mkdir(parents=True)
        database = f"faults_{subject.stage.service}_{self._scenes:02d}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", database, self._template(subject))
        kafka.renew_topics(self.kafka, topics_of(subject))
        with subject.running() as environment:
            scene = Scene(subject, World(self.kafka, self._url_of(database)), folder, environment, self.stack)
            try:
                yield scene
            finally:
                scene.close()
                self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)

    def close(self) -> None:
        """Drop what rows were copied from."""
        for name in self._templates:
            self._execute("DROP DATABASE IF EXISTS {}", name)
        self._templates.clear()

    def _url_of(self, database: str) -> str:
        head, _, tail = self.database_url.rpartition("/")
        _, mark, options = tail.partition("?")
        return f"{head}/{database}{mark}{options}"

    def _template(self, subject: Subject) -> str:
        services = [stage.service for stage in subject.stages]
        name = "_".join(["faults", *services, "template"])
        if name not in self._templates:
            self._execute("DROP DATABASE IF EXISTS {}", name)
            self._execute("CREATE DATABASE {}", name)
            self._templates.add(name)
            for stage in subject.stages:
                migrate(self._url_of(name), stage.history)
            with psycopg.connect(self._url_of(name)) as connection:
                for service in services:
                    connection.execute(sql.SQL(_GUARD).format(schema=sql.Identifier(service)))
        return name

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def topics_of(subject: Subject) -> list[Topic]:
    """Return every topic that a row touches, each once."""
    found = {topic.name: topic for stage in subject.stages for topic in (*stage.inputs, *stage.outputs)}
    return list(found.values())
