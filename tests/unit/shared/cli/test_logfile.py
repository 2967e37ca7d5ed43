"""The last lines of a log, and those that are added."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from shared.cli import logfile


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "profile.log"


@pytest.mark.parametrize(
    ("content", "last", "shown"),
    [
        ("", 5, []),
        ("a\n", 5, ["a"]),
        ("a\nb\nc\n", 2, ["b", "c"]),
        ("a\nb\nhalf", 2, ["b", "half"]),
        ("a\n\n", 2, ["a", ""]),
        ("a\nb\n", 0, []),
    ],
)
def test_the_last_lines_are_shown(log: Path, content: str, last: int, shown: list[str]) -> None:
    log.write_text(content)
    assert list(logfile.lines(log, last)) == shown


def test_only_the_end_of_a_long_log_is_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfile, "_BLOCK", 7)
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    assert list(logfile.lines(log, 3)) == ["line 97", "line 98", "line 99"]


def test_bytes_that_are_no_text_do_not_end_the_command(log: Path) -> None:
    log.write_bytes(b"\xff\xfe broken\n")
    assert list(logfile.lines(log, 1)) == ["�� broken"]


def following(log: Path, last: int) -> Iterator[str]:
    return logfile.lines(log, last, follow=True)


def test_what_is_added_is_shown_line_by_line_and_never_half_a_line(log: Path) -> None:
    log.write_text("old\nhal")
    shown = following(log, 1)
    assert next(shown) == "old"
    with log.open("a") as sink:
        sink.write("f\nnew\nunfin")
    assert list(islice(shown, 2)) == ["half", "new"]
    with log.open("a") as sink:
        sink.write("ished\n")
    assert next(shown) == "unfinished"


def test_a_log_that_was_cut_is_followed_from_its_new_start(log: Path) -> None:
    log.write_text("one\ntwo\n")
    shown = following(log, 1)
    assert next(shown) == "two"
    log.write_text("new\n")
    assert next(shown) == "new"


def test_following_waits_for_what_comes(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_text("one\n")
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        with log.open("a") as sink:
            sink.write(f"after {len(waits)}\n")

    monkeypatch.setattr("shared.cli.logfile.time.sleep", wait)
    assert list(islice(following(log, 1), 3)) == ["one", "after 1", "after 2"]
    assert waits == [logfile.POLL_SECONDS] * 2
