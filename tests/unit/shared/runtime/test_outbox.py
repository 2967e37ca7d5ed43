from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.handler import Message
from shared.runtime.outbox import Outbox


def messages(*names: str) -> list[Message]:
    return [Message(name.encode(), b"", []) for name in names]


def keys(taken: Sequence[Message]) -> list[str]:
    return [message.key.decode() for message in taken]


def test_runs_go_out_in_the_order_of_their_sequences() -> None:
    outbox = Outbox(0)
    outbox.add(2, messages("c"))
    outbox.add(0, messages("a", "b"))
    first, taken = outbox.take(100)
    assert (first, keys(taken)) == (0, ["a", "b", "c"])


def test_a_gap_is_never_skipped() -> None:
    outbox = Outbox(0)
    outbox.add(1, messages("b"))
    assert outbox.take(100) == (0, [])
    assert outbox.blocked
    outbox.add(0, messages("a"))
    assert keys(outbox.take(100)[1]) == ["a", "b"]


def test_what_was_sent_is_not_sent_again() -> None:
    outbox = Outbox(0)
    outbox.add(0, messages("a"))
    outbox.sent(1)
    outbox.add(0, messages("a"))
    assert outbox.take(100) == (1, [])
    assert outbox.holds(0)
    assert outbox.waiting == 0


def test_a_stretch_ends_once_it_is_long_enough() -> None:
    outbox = Outbox(0)
    outbox.add(0, messages("a", "b"))
    outbox.add(2, messages("c"))
    assert keys(outbox.take(1)[1]) == ["a", "b"]


@given(st.permutations(range(6)), st.lists(st.integers(1, 3), min_size=6, max_size=6))
def test_any_order_of_arrival_gives_one_order_of_sending(order: list[int], sizes: list[int]) -> None:
    firsts = [sum(sizes[:number]) for number in range(6)]
    outbox, sent = Outbox(0), []
    for number in order:
        outbox.add(firsts[number], messages(*(str(firsts[number] + at) for at in range(sizes[number]))))
        first, taken = outbox.take(2)
        sent += keys(taken)
        outbox.sent(first + len(taken))
    while (stretch := outbox.take(2))[1]:
        sent += keys(stretch[1])
        outbox.sent(stretch[0] + len(stretch[1]))
    assert sent == [str(number) for number in range(sum(sizes))]
