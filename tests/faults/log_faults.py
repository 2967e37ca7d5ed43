"""Faults of an input's log: made anew, cut by retention, or ending before our position. Each must stop the service."""

from collections.abc import Callable, Iterator

from tests.faults import kafka
from tests.faults.rows import Outcome, Row
from tests.faults.scene import Scene
from tests.faults.subjects import Subject
from tests.faults.worker import Worker

COUNT = 3000


def recreate_while_running(scene: Scene) -> Outcome:
    """Delete and create the inputs under a running worker, and fill them past its position at once."""
    worker = _read_some(scene)
    _renew_and_fill(scene)
    # Whoever looks in the moment between sees no topic at all.
    errors = ("TopicRecreatedError", "TopicMissingError")
    return _stopped(scene, worker, errors, "inputs made anew under the worker")


def recreate_while_away(scene: Scene) -> Outcome:
    """Delete and create the inputs while nobody runs: whoever starts next must see it."""
    _leave(_read_some(scene))
    _renew_and_fill(scene)
    return _stopped(scene, scene.worker("next"), ("TopicRecreatedError",), "inputs made anew before the start")


def pass_by_retention(scene: Scene) -> Outcome:
    """Delete records that nobody has read yet."""
    _leave(_read_some(scene))
    _send_unread(scene)
    names = [topic.name for topic in scene.subject.stage.inputs]
    # The last tenth stays, so that there is something to go on with, had the position been reset.
    upto = {place: end - max(1, end // 10) for place, end in kafka.ends(scene.world.kafka, names).items() if end}
    kafka.delete_records(scene.world.kafka, upto)
    return _stopped(scene, scene.worker("next"), ("RetentionPassedError",), "retention passed the position")


def pass_the_end(scene: Scene) -> Outcome:
    """Stand past the end, as with a broker restored from an older copy: the records that come next are other ones."""
    _leave(_read_some(scene))
    with scene.world.connect(scene.subject.stage.service) as connection:
        connection.execute("UPDATE positions SET next_offset = next_offset + 100")
    return _stopped(scene, scene.worker("next"), ("LogTruncatedError",), "positions 100 past the logs' ends")


def rows(subject: Subject) -> Iterator[Row]:
    """Give the rows of one service."""
    faults: tuple[tuple[str, Callable[[Scene], Outcome]], ...] = (
        ("topic recreated while running", recreate_while_running),
        ("topic recreated while away", recreate_while_away),
        ("retention past the position", pass_by_retention),
        ("log end below the position", pass_the_end),
    )
    for fault, play in faults:
        yield Row(subject, fault, play)


def _read_some(scene: Scene) -> Worker:
    worker = scene.worker("worker")
    scene.feed().send(COUNT)
    worker.wait_claimed()
    scene.settle()
    return worker


def _leave(worker: Worker) -> None:
    worker.terminate()
    assert worker.wait_end() == 0, f"{worker.name} left with {worker.process.returncode}"


def _renew_and_fill(scene: Scene) -> None:
    kafka.replace_topics(scene.world.kafka, scene.subject.stage.inputs)
    _send_unread(scene, COUNT * 3)


def _send_unread(scene: Scene, count: int = COUNT) -> None:
    """Send what must not be read: it is not in the ledger that the row compares with."""
    read = scene.ledger.copy()
    scene.feed().send(count)
    scene.ledger.records[:] = read


def _stopped(scene: Scene, worker: Worker, errors: tuple[str, ...], fired: str) -> Outcome:
    code = worker.wait_end()
    wrong = [] if code == 1 and worker.error() in errors else [f"ended with {code}, {worker.error() or 'no error'}"]
    found = scene.own_differences()
    return Outcome(fired, scene.fences() or "no", f"exit 1, {errors[0]}, nothing applied", [*wrong, *found])
