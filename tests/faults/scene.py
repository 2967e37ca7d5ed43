"""What a row plays in: its workers, its feed and its world; all of it ends with the row."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psycopg import sql

from shared.local.stack import Stack
from tests.faults import invariants, kafka
from tests.faults.awaiting import NeverHappenedError, until
from tests.faults.feed import Feed
from tests.faults.sent import Ledger
from tests.faults.subjects import Shape, Stage, Subject
from tests.faults.worker import Worker
from tests.faults.world import World

SETTLE_SECONDS = 90.0
HEAL_SECONDS = 15.0


class Scene:
    """One row's workers and feed. Files of the row lie in `folder`; `stack` are the servers, if they may be broken."""

    def __init__(
        self, subject: Subject, world: World, folder: Path, environment: Mapping[str, str], stack: Stack | None
    ) -> None:
        self.subject = subject
        self.world = world
        self.folder = folder
        self.stack = stack
        self.ledger = Ledger()
        self.workers: list[Worker] = []
        self._environment = environment
        self._feeds: list[Feed] = []
        self._fired = folder / "fired.jsonl"

    def worker(self, name: str, failpoint: str = "", **environment: str) -> Worker:
        """Start a process of the service under test; `failpoint` is `POINT=ACTION@N`."""
        if failpoint:
            environment["CRM_FAILPOINTS"] = f"{self.subject.stage.service}.{failpoint}"
            environment["CRM_FAILPOINTS_LOG"] = str(self._fired)
        return self._start(self.subject.stage, name, environment)

    def start_others(self) -> None:
        """Start a healthy process of every other service that the row needs, and wait until they work."""
        others = [stage for stage in self.subject.stages if stage is not self.subject.stage]
        for worker in [self._start(stage, stage.service, {}) for stage in others]:
            worker.wait_claimed()

    def _start(self, stage: Stage, name: str, environment: Mapping[str, str]) -> Worker:
        settings = {
            "CRM_KAFKA_BOOTSTRAP_SERVERS": self.world.kafka,
            "CRM_DATABASE_URL": self.world.database_url,
            **self._environment,
            **environment,
        }
        worker = Worker.start(name, stage.module, settings, self.folder / f"{name}.log")
        self.workers.append(worker)
        return worker

    def feed(self, shape: Shape | None = None) -> Feed:
        """Make a feed that goes on where the last one ended."""
        first = self._feeds[-1].next if self._feeds else 0
        feed = Feed(self.world.kafka, self.subject, self.ledger, shape or self.subject.shape, first)
        self._feeds.append(feed)
        return feed

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
        """Wait until everything that was sent is read, and everything that came of it is published, stage by stage."""

        def settled() -> bool:
            stages = self.subject.stages
            return all(invariants.at_end(self.world, stage) for stage in stages) and self.subject.idle(self.world)

        until(settled, "all is read and published", SETTLE_SECONDS)

    def differences(self) -> list[str]:
        """Compare everything with what must be; what heals by itself (the auditor's work) is given a little time."""
        found: list[str] = []

        def none_left() -> bool:
            found[:] = [*invariants.differences(self.world, self.subject, self.ledger.copy()), *self.own_differences()]
            return not found

        try:
            until(none_left, "no difference", HEAL_SECONDS)
        except NeverHappenedError:
            (self.folder / "differences.txt").write_text("\n".join(found), "utf-8")
        return found

    def own_differences(self) -> list[str]:
        """Compare only what the services themselves keep and say, not the runtime's tables."""
        return self.subject.differences(self.world, self.ledger.copy())

    def keep_evidence(self) -> None:
        """Write down the runtime's tables as they are, and where the topics end."""
        lines: list[str] = []
        for stage in self.subject.stages:
            topics = [topic.name for topic in (*stage.inputs, *stage.outputs)]
            lines += [f"{place}: {end}" for place, end in kafka.ends(self.world.kafka, topics).items()]
            with self.world.connect(stage.service) as connection:
                for table in ("lanes", "positions", "streams", "publications", "due"):
                    rows = connection.execute(sql.SQL("SELECT * FROM {} ORDER BY 1, 2").format(sql.Identifier(table)))
                    lines += [f"{stage.service}.{table}", *(f"  {row}"[:300] for row in rows.fetchmany(50))]
        (self.folder / "tables.txt").write_text("\n".join(lines), "utf-8")

    def close(self) -> None:
        """End everything that the row started."""
        for worker in self.workers:
            worker.end()
        for feed in self._feeds:
            feed.abandon()
