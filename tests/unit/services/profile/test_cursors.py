"""A cursor comes back as it was given, and nothing else is taken for one."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profile import cursors
from services.profile.cursors import Alike, BadCursorError, Member, Moment, Spelt, written

moments = st.builds(Moment, st.datetimes(timezones=st.just(UTC)), st.binary(min_size=16, max_size=16))
terms = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200)
spelt = st.builds(Spelt, terms, st.binary(min_size=16, max_size=16))
READERS: list[Callable[[str], object]] = [cursors.moment, cursors.hit, cursors.member]
AT = datetime(2026, 1, 1, tzinfo=UTC)


@given(moments, spelt, st.integers(0, 2**31))
def test_a_cursor_comes_back_as_it_was_given(moment: Moment, hit: Spelt, seen: int) -> None:
    assert cursors.moment(written(moment)) == moment
    assert cursors.hit(written(hit)) == hit
    assert cursors.hit(written(Alike(seen))) == Alike(seen)
    assert cursors.member(written(Member("0" * 32))) == Member("0" * 32)
    assert len(written(hit)) <= cursors.LONGEST


@given(st.text() | st.binary().map(lambda some: urlsafe_b64encode(some).decode()))
def test_anything_else_is_refused(text: str) -> None:
    for read in READERS:
        with pytest.raises(BadCursorError):
            read(text)


@pytest.mark.parametrize(
    "bad",
    [
        Moment(AT.replace(tzinfo=None), bytes(16)),
        Moment(AT, bytes(15)),
        Spelt("a\0", bytes(16)),
        Spelt("a", b""),
        Alike(-1),
        Member("x"),
    ],
)
def test_a_cursor_that_nobody_gave_is_refused(bad: msgspec.Struct) -> None:
    for read in READERS:
        with pytest.raises(BadCursorError):
            read(written(bad))  # type: ignore[arg-type]  # one of them


def test_another_lists_cursor_is_refused() -> None:
    with pytest.raises(BadCursorError):
        cursors.moment(written(Alike(1)))
    with pytest.raises(BadCursorError):
        cursors.hit(written(Moment(AT, bytes(16))))
