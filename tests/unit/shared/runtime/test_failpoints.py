import json
import os
from pathlib import Path

import pytest

from shared.runtime.errors import TransientError
from shared.runtime.failpoints import (
    POINTS,
    ArmedFailpoints,
    FailpointError,
    Kill,
    NullFailpoints,
    Raise,
    Stop,
    failpoints_for,
    parse_rule,
)


def test_without_rules_nothing_ever_happens() -> None:
    failpoints = failpoints_for("profile", {})
    assert isinstance(failpoints, NullFailpoints)
    for point in POINTS:
        failpoints.hit(point)


def test_a_rule_for_another_service_arms_nothing() -> None:
    environment = {"CRM_FAILPOINTS": "profile.before_commit=kill@1"}
    assert isinstance(failpoints_for("segmenter", environment), NullFailpoints)
    assert isinstance(failpoints_for("profile", environment), ArmedFailpoints)


def test_a_rule_fires_at_its_passage_and_only_then(tmp_path: Path) -> None:
    log = tmp_path / "fired.jsonl"
    environment = {
        "CRM_FAILPOINTS": "profile.after_poll=raise:OSError@3; profile.in_copy=raise:TransientError@1",
        "CRM_FAILPOINTS_LOG": str(log),
    }
    failpoints = failpoints_for("profile", environment)
    failpoints.hit("after_poll")
    failpoints.hit("after_poll")
    failpoints.hit("before_commit")
    assert not log.exists()
    with pytest.raises(OSError, match=r"failpoint profile\.after_poll"):
        failpoints.hit("after_poll")
    failpoints.hit("after_poll")
    with pytest.raises(TransientError):
        failpoints.hit("in_copy")
    fired = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [(row["process"], row["pid"], row["point"], row["action"]) for row in fired] == [
        ("profile", os.getpid(), "after_poll", "raise:OSError@3"),
        ("profile", os.getpid(), "in_copy", "raise:TransientError@1"),
    ]
    assert all(row["at"].endswith("+00:00") for row in fired)


def test_one_point_may_have_several_passages() -> None:
    rules = (parse_rule("p.after_poll=raise:OSError@1"), parse_rule("p.after_poll=raise:ValueError@2"))
    failpoints = ArmedFailpoints(rules)
    with pytest.raises(OSError, match="failpoint"):
        failpoints.hit("after_poll")
    with pytest.raises(ValueError, match="failpoint"):
        failpoints.hit("after_poll")


def test_each_action_is_read() -> None:
    assert parse_rule("profile.before_commit=kill@1").action == Kill()
    assert parse_rule("profile.in_copy=stop:4s@2").action == Stop(4.0)
    assert parse_rule("profile.in_copy=stop:0.5s@2").action == Stop(0.5)
    assert parse_rule("profile.after_poll=raise:OSError@3").action == Raise(OSError)
    assert parse_rule("profile.after_poll=raise:OSError@3").passage == 3


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("profile.before_comit=kill@1", "a point out of after_poll"),
        ("profile.before_commit=explode@1", "an action: kill"),
        ("profile.before_commit=stop:4@1", "an action: kill"),
        ("profile.before_commit=raise:Nothing@1", "a built-in error"),
        ("profile.before_commit=raise:int@1", "a built-in error"),
        ("profile.before_commit=raise:KeyboardInterrupt@1", "a built-in error"),
        ("profile.before_commit=kill@0", "N from 1"),
        ("profile.before_commit=kill", "N from 1"),
        ("before_commit=kill@1", "N from 1"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_whatever_service_it_names(rule: str, expected: str) -> None:
    with pytest.raises(FailpointError, match=expected) as refused:
        failpoints_for("segmenter", {"CRM_FAILPOINTS": rule})
    assert rule in str(refused.value)
