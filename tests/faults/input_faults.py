"""Faults of what is sent: many repeats, records out of their order, and nothing but poison."""

from collections.abc import Iterator

from tests.faults.rows import Outcome, Row, outcome
from tests.faults.scene import Scene
from tests.faults.subjects import Shape, Subject

COUNT = 6000
POISONED = 3000
RESTARTS = 3
MOST_DEAD = 1000 + (RESTARTS - 1) * 200
"""What `CRM_FUSE_RUN` lets through at first, and less than `CRM_FUSE_MIN_EVENTS` at each start after that."""
PATIENT = {"CRM_FUSE_MIN_EVENTS": "1000000", "CRM_FUSE_RUN": "1000000"}


def repeat(scene: Scene) -> Outcome:
    """Send every fifth record again."""
    return _read(scene, Shape(repeats=0.2), "every fifth record sent again")


def shuffle(scene: Scene) -> Outcome:
    """Send each record up to a thousand places from where it belongs, with repeats: late, early, and both."""
    return _read(scene, Shape(repeats=0.05, shuffled=1000), "records up to 1000 places off")


def poison(scene: Scene) -> Outcome:
    """Send nothing but poison: the fuse stops the service each time, and once told to, it takes all of it."""
    worker = scene.worker("worker")
    scene.feed().send(COUNT)
    worker.wait_claimed()
    scene.settle()
    known = _dead(scene)
    scene.feed(Shape(poison=1.0, repeats=0.0)).send(POISONED)
    wrong = []
    for number in range(RESTARTS):
        code = worker.wait_end()
        if (code, worker.error()) != (1, "FuseBlownError"):
            wrong.append(f"{worker.name} ended with {code}, {worker.error() or 'no error'}")
        if number < RESTARTS - 1:
            worker = scene.worker(f"again-{number}")
    until_then = _dead(scene) - known
    if until_then > MOST_DEAD:
        wrong.append(f"expected at most {MOST_DEAD} dead letters before it was told to, found {until_then}")
    scene.worker("patient", **PATIENT)
    scene.feed().send(COUNT)
    return outcome(
        scene, f"{POISONED} of poison: fuse blown {RESTARTS} times, {until_then} let through, then all", more=wrong
    )


def rows(subject: Subject) -> Iterator[Row]:
    """Give the rows of one service."""
    yield Row(subject, "repeats", repeat)
    yield Row(subject, "shuffled and late", shuffle)
    yield Row(subject, "all poison", poison)


def _read(scene: Scene, shape: Shape, fired: str) -> Outcome:
    workers = [scene.worker("first"), scene.worker("second")]
    feed = scene.feed(shape)
    feed.send(COUNT)
    for worker in workers:
        worker.wait_claimed()
    feed.send(COUNT)
    return outcome(scene, fired)


def _dead(scene: Scene) -> int:
    with scene.world.connect(scene.subject.stage.service) as connection:
        row = connection.execute("SELECT count(*) FROM dead_letters").fetchone()
        assert row is not None
        return int(row[0])
