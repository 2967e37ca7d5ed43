import pytest

from shared.runtime.errors import FuseBlownError
from shared.runtime.fuse import Fuse, Limits
from shared.runtime.handler import APPLIED, Dead
from shared.runtime.records import Poison

DEAD = Dead(Poison("bad"))


def test_a_few_dead_events_are_nothing_to_stop_for() -> None:
    fuse = Fuse(Limits(0.5, 20, 100))
    for _ in range(50):
        fuse = fuse.after([APPLIED] * 9 + [DEAD])
    assert fuse.dead < fuse.events / 2


def test_too_many_of_a_stretch_blow_the_fuse_and_say_why() -> None:
    with pytest.raises(FuseBlownError, match=r"20 of the last 20 .* \(bad: 20\)"):
        Fuse(Limits(0.5, 20, 100)).after([DEAD] * 20)


def test_a_stretch_that_is_too_short_decides_nothing() -> None:
    assert Fuse(Limits(0.5, 20, 100)).after([DEAD] * 19).dead == 19


def test_a_long_run_blows_the_fuse_after_any_number_of_good_events() -> None:
    fuse = Fuse(Limits(0.9, 1000, 50)).after([APPLIED] * 900)
    with pytest.raises(FuseBlownError):
        fuse.after([DEAD] * 50)


def test_old_times_weigh_less_and_less() -> None:
    fuse = Fuse(Limits(0.5, 10, 10_000)).after([APPLIED] * 1_000)
    for _ in range(20):
        fuse = fuse.after([APPLIED])
    with pytest.raises(FuseBlownError):
        fuse.after([DEAD] * 100)


def test_a_batch_that_is_not_committed_leaves_the_fuse_as_it_was() -> None:
    fuse = Fuse(Limits(0.5, 20, 100))
    fuse.after([DEAD] * 10)
    assert fuse == Fuse(Limits(0.5, 20, 100))
