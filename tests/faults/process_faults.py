"""Faults of one process at each named point: killed and replaced, or stopped past its session and resumed."""

from collections.abc import Callable, Iterator

from shared.runtime.failpoints import POINTS, Point
from tests.faults.awaiting import until
from tests.faults.kafka import LANES
from tests.faults.rows import Outcome, Row, outcome, what_fired
from tests.faults.scene import Scene
from tests.faults.subjects import Subject

STOP_SECONDS = 10
SLOT = "slot-1"
IN_THE_MIDST = 40
"""A passage late enough that orders, mails and KPIs are on their way."""


def passage_of(point: Point) -> int:
    """Choose which passage breaks: the first claim is the one that counts, everything else is under way by then."""
    return 1 if point == "before_claim" else 4


def kill_at(point: Point, passage: int) -> Callable[[Scene], Outcome]:
    """Kill -9 at a point; a successor with the same static id goes on."""

    def play(scene: Scene) -> Outcome:
        scene.start_others()
        feed = scene.feed().start()
        victim = scene.worker("victim", f"{point}=kill@{passage}", CRM_INSTANCE_ID=SLOT)
        code = victim.wait_end()
        successor = scene.worker("successor", CRM_INSTANCE_ID=SLOT)
        successor.wait_claimed()
        feed.wait_more(scene.subject.shape.rate)
        feed.stop()
        wrong = [] if code == -9 else [f"the victim ended with {code}"]
        return outcome(scene, what_fired(scene), more=wrong)

    return play


def stop_at(point: Point, passage: int) -> Callable[[Scene], Outcome]:
    """SIGSTOP at a point for longer than the session, then SIGCONT: another owner has the lanes by then."""

    def play(scene: Scene) -> Outcome:
        scene.start_others()
        heir = scene.worker("heir")
        heir.wait_claimed()
        feed = scene.feed().start()
        before = len(heir.claims())
        zombie = scene.worker("zombie", f"{point}=stop:{STOP_SECONDS}s@{passage}")
        scene.wait_fired()
        zombie.wait_stopped()
        claims = len(zombie.claims())
        # Then somebody else has applied and published what the zombie holds in its hands.
        until(lambda: any(len(lanes) == LANES for lanes in heir.claims()[before:]), "the heir takes all lanes", 30)
        zombie.wait_awake(STOP_SECONDS + 5)
        until(scene.fences, "the fence acts", 20)
        zombie.wait_claimed(claims)
        feed.wait_more(scene.subject.shape.rate)
        feed.stop()
        return outcome(scene, what_fired(scene))

    return play


def two_rows(subject: Subject) -> Iterator[Row]:
    """Give one kill and one stop."""
    yield Row(subject, "kill before_commit", kill_at("before_commit", IN_THE_MIDST))
    yield Row(subject, "stop after_fence", stop_at("after_fence", IN_THE_MIDST))


def rows(subject: Subject) -> Iterator[Row]:
    """Give a kill and a stop at each point."""
    for point in POINTS:
        yield Row(subject, f"kill {point}", kill_at(point, passage_of(point)))
    for point in POINTS:
        yield Row(subject, f"stop {point}", stop_at(point, passage_of(point)))
