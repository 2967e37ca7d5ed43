"""Faults of what a service stands on: the broker killed, the database restarted at once, COMMIT's answer lost."""

from collections.abc import Iterator
from contextlib import closing

from psycopg.conninfo import conninfo_to_dict

from shared.local.postgres import StopMode
from tests.faults.awaiting import until
from tests.faults.proxy import Cut, Proxy
from tests.faults.rows import Outcome, Row, outcome
from tests.faults.scene import Scene
from tests.faults.subjects import Subject

AFTERWARDS = 1000
EVERY_NTH_COMMIT = 12
MOST_CUTS = 12


def kill_broker(scene: Scene) -> Outcome:
    """Kill -9 the broker under a feed, and start it again on its port: nobody ends, everything goes on."""
    stack = scene.stack
    assert stack is not None
    worker = scene.worker("worker")
    worker.wait_claimed()
    feed = scene.feed().start()
    feed.wait_more(AFTERWARDS)
    stack.kafka.kill()
    stack.kafka.start()
    feed.wait_more(AFTERWARDS)
    feed.stop()
    found = outcome(scene, "kafka killed and started on its port")
    return found if worker.process.poll() is None else _ended(found, worker.error())


def restart_database(scene: Scene) -> Outcome:
    """Stop PostgreSQL as in a crash and start it again, under a feed and with two workers."""
    stack = scene.stack
    assert stack is not None
    workers = [scene.worker("first"), scene.worker("second")]
    for worker in workers:
        worker.wait_claimed()
    feed = scene.feed().start()
    feed.wait_more(AFTERWARDS)
    stack.postgres.stop(StopMode.IMMEDIATE)
    stack.postgres.start()
    feed.wait_more(AFTERWARDS)
    feed.stop()
    found = outcome(scene, "postgres stopped immediately and started")
    ended = [worker.error() for worker in workers if worker.process.poll() is not None]
    return _ended(found, ", ".join(ended)) if ended else found


def cut_commits(scene: Scene) -> Outcome:
    """Cut the connection around every n-th COMMIT: half of them committed, half of them not, none of them answered."""
    address = conninfo_to_dict(scene.world.database_url)
    with closing(Proxy((str(address["host"]), int(str(address["port"]))), EVERY_NTH_COMMIT, MOST_CUTS)) as proxy:
        through = scene.world.database_url.replace(f":{address['port']}/", f":{proxy.port}/")
        worker = scene.worker("worker", CRM_DATABASE_URL=through)
        feed = scene.feed().start()
        worker.wait_claimed()
        proxy.arm()
        until(lambda: len(proxy.cuts) == MOST_CUTS, f"{MOST_CUTS} commits are cut", 90)
        feed.wait_more(AFTERWARDS)
        feed.stop()
        batches = worker.actions()["batch.retry"]
        more = [] if batches else ["no batch's COMMIT was among those cut"]
        done = proxy.cuts.count(Cut.BEFORE_THE_ANSWER)
        return outcome(scene, f"{MOST_CUTS} COMMITs cut, {done} of them done, {batches} of batches", more=more)


def rows(subject: Subject) -> Iterator[Row]:
    """Give the rows of one service."""
    yield Row(subject, "broker kill", kill_broker, breaks_servers=True)
    yield Row(subject, "database restart", restart_database, breaks_servers=True)
    yield Row(subject, "commit cut", cut_commits)


def _ended(found: Outcome, error: str) -> Outcome:
    return Outcome(found.fired, found.fenced, found.expected, [f"a worker ended: {error}", *found.differences])
