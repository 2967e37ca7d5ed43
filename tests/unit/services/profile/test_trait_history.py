"""What was said about a trait: exactly what the record shows counts, and the reason says how it came to that."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain import trait_history
from services.profile.domain.registers import written
from services.profile.domain.state import Register, State
from services.profile.domain.trait_history import Said, judged

AT = datetime(2026, 1, 1, tzinfo=UTC)
I1 = "1" * 32

said = st.builds(
    Said,
    st.integers(0, 2).map(lambda hours: AT + timedelta(hours=hours)),
    st.sampled_from(["m-1", "m-2", "m-3"]),
    st.sampled_from(["shop", "crm"]),
    st.just(I1),
    st.sampled_from([b'"Wien"', b'"Graz"', b"null"]),
)


def folded(words: list[Said]) -> State:
    registers = [("city", Register(one.at, one.message_id, one.source, one.value)) for one in words]
    return State(AT, AT, traits=written({}, registers, 200))


@given(st.lists(said, min_size=1, max_size=8, unique_by=lambda one: (one.message_id, one.source)))
def test_what_counts_is_what_the_record_shows_and_is_the_first_of_the_list(words: list[Said]) -> None:
    told = judged(words, folded(words), "city")
    assert [one.counts for one in told] == [True, *[False] * (len(words) - 1)]
    assert bytes(told[0].value) == folded(words).traits["city"].value


def test_the_reason_says_what_decided() -> None:
    def one(hours: int, message_id: str, value: bytes = b'"Wien"') -> Said:
        return Said(AT + timedelta(hours=hours), message_id, "shop", I1, value)

    words = [one(0, "m-9"), one(1, "m-1"), one(1, "m-2")]
    told = {word.message_id: word.why for word in judged(words, folded(words), "city")}
    assert told == {
        "m-9": trait_history.LATER,
        "m-1": trait_history.LESSER,
        "m-2": trait_history.COUNTS_OF_SEVERAL,
    }
    (alone,) = judged([one(0, "m-1")], folded([one(0, "m-1")]), "city")
    assert alone.why == trait_history.COUNTS
    gone = [one(0, "m-1", b"null")]
    assert judged(gone, folded(gone), "city")[0].why == trait_history.UNSETS


def test_a_trait_that_a_record_has_no_room_for_counts_nowhere() -> None:
    (word,) = judged([Said(AT, "m-1", "shop", I1, b"1")], State(AT, AT), "city")
    assert (word.counts, word.why) == (False, trait_history.CROWDED_OUT)
