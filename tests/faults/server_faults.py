"""Faults of what a service stands on: the broker killed, the database restarted at once, COMMIT's answer lost."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from psycopg.conninfo import conninfo_to_dict

from shared.local.postgres import StopMode
from shared.local.stack import Stack
from tests.faults.awaiting import until
from tests.faults.feed import Feed
from tests.faults.proxy import Cut, Proxy
from tests.faults.rows import Outcome, Row, outcome
from tests.faults.scene import Scene
from tests.faults.subjects import Subject
from tests.faults.worker import Worker

AFTERWARDS = 1000
TERMINATIONS = 5
GRACE_SECONDS = 25
PAUSE_SECONDS = 3
EVERY_NTH_COMMIT = 12
MOST_CUTS = 12


_END = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()
"""


def kill_broker(scene: Scene) -> Outcome:
    """Kill -9 the broker under a feed, and start it again on its port: nobody ends, everything goes on."""
    stack = _servers(scene)
    workers, feed = _at_work(scene, "worker")
    stack.kafka.kill()
    stack.kafka.start()
    feed.wait_more(AFTERWARDS)
    feed.stop()
    return outcome(scene, "kafka killed and started on its port", more=_ended(workers))


def restart_database(scene: Scene) -> Outcome:
    """Stop PostgreSQL as in a crash and start it again, under a feed and with two workers."""
    stack = _servers(scene)
    workers, feed = _at_work(scene, "first", "second")
    stack.postgres.stop(StopMode.IMMEDIATE)
    stack.postgres.start()
    feed.wait_more(AFTERWARDS)
    feed.stop()
    return outcome(scene, "postgres stopped immediately and started", more=_ended(workers))


def end_backends(scene: Scene) -> Outcome:
    """End every connection of the service again and again, whatever it is doing."""
    workers, feed = _at_work(scene, "first", "second")
    ended = 0
    for _ in range(TERMINATIONS):
        feed.wait_more(AFTERWARDS // 2)
        with scene.world.connect(scene.subject.stage.service) as connection:
            ended += len(connection.execute(_END, (f"rapport-{scene.subject.stage.service}",)).fetchall())
    feed.wait_more(AFTERWARDS)
    feed.stop()
    return outcome(scene, f"{ended} backends terminated in {TERMINATIONS} rounds", more=_ended(workers))


def kill_while_the_broker_is_away(scene: Scene) -> Outcome:
    """Kill the broker between a COMMIT and its publishing, then the worker: what was committed must still go out."""
    stack = _servers(scene)
    feed = scene.feed().start()
    victim = scene.worker("victim", f"before_publish=stop:{PAUSE_SECONDS}s@4")
    scene.wait_fired()
    victim.wait_stopped()
    stack.kafka.kill()
    try:
        victim.wait_awake(PAUSE_SECONDS + 5)
        # By then it has long tried to send what it holds.
        until(lambda: victim.actions()["monitor.retry"], "the victim misses the broker", 60)
        victim.process.kill()
        victim.wait_end()
    finally:
        stack.kafka.start()
    scene.worker("successor").wait_claimed()
    feed.wait_more(AFTERWARDS)
    feed.stop()
    return outcome(scene, "broker killed, then worker, with a commit that is not published")


def stop_while_the_broker_hangs(scene: Scene) -> Outcome:
    """Tell a worker to stop, twice, while the broker stands still: it ends within its grace, and another goes on."""
    stack = _servers(scene)
    (worker,), feed = _at_work(scene, "worker")
    stack.kafka.pause()
    try:
        worker.terminate()
        until(lambda: worker.actions()["stop.begin"], "the worker begins to stop")
        worker.terminate()
        code = worker.wait_end(GRACE_SECONDS + 3)
    finally:
        stack.kafka.resume()
    scene.worker("successor").wait_claimed()
    feed.wait_more(AFTERWARDS)
    feed.stop()
    wrong = [] if code in (0, 1) else [f"the worker ended with {code}"]
    return outcome(scene, "told to stop twice under a paused broker", more=wrong)


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
    yield Row(subject, "broker kill", kill_broker)
    yield Row(subject, "database restart", restart_database)
    yield Row(subject, "backends terminated", end_backends)
    yield Row(subject, "killed while the broker is away", kill_while_the_broker_is_away)
    yield Row(subject, "told to stop while the broker hangs", stop_while_the_broker_hangs)
    yield Row(subject, "commit cut", cut_commits)


def _servers(scene: Scene) -> Stack:
    assert scene.stack is not None
    return scene.stack


def _at_work(scene: Scene, *names: str) -> tuple[list[Worker], Feed]:
    """Start workers, and feed them until they are in the midst of it."""
    workers = [scene.worker(name) for name in names]
    for worker in workers:
        worker.wait_claimed()
    feed = scene.feed().start()
    feed.wait_more(AFTERWARDS)
    return workers, feed


def _ended(workers: Sequence[Worker]) -> list[str]:
    return [f"{one.name} ended: {one.error()}" for one in workers if one.process.poll() is not None]
