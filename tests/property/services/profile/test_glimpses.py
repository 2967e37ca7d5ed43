"""What is looked at of a batch is what its events say of links one by one: the first and the last of each pair."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.edges import edges_of
from services.profile.domain.event import Event, event_of
from services.profile.domain.glimpses import glimpse
from services.profile.domain.links import Edge
from shared.contracts.catalogue import ALIAS
from tests.property.services.profile.strategies import START, interaction, people

kinds: st.SearchStrategy[tuple[str, str, Any]] = st.sampled_from([(ALIAS, "alias", {}), ("Page Viewed", "view", {})])
events = st.lists(
    st.builds(
        lambda number, said, who, seconds, source: event_of(
            interaction(
                f"m-{number}",
                said,
                who,
                occurred_at=START + timedelta(seconds=seconds),
                received_at=START + timedelta(days=1),
                source=source,
            )
        ),
        st.integers(0, 2),
        kinds,
        people,
        st.integers(0, 3),
        st.sampled_from(["shop", "till"]),
    ),
    max_size=12,
)


def one_by_one(taken: Sequence[Event]) -> dict[tuple[str, str], list[Edge]]:
    """List each pair's edges."""
    found: dict[tuple[str, str], list[Edge]] = defaultdict(list)
    for event in taken:
        for one in edges_of(event):
            found[one.a, one.b].append(one)
    return found


@given(events)
def test_of_each_pair_the_first_and_the_last_edge_are_kept(taken: Sequence[Event]) -> None:
    kept = glimpse(taken).pairs
    edges = one_by_one(taken)
    assert len(kept) == len(edges)
    for first, last in kept:
        mine = edges[first.a, first.b]
        assert (first.mark, first.cause) == min((one.mark, one.cause) for one in mine)
        assert last.mark == max(one.mark for one in mine)
        assert (first.a, first.b) == (last.a, last.b)


@given(events)
def test_everybody_is_met_at_the_first_event_that_names_them(taken: Sequence[Event]) -> None:
    firsts: dict[str, datetime] = {}
    for event in taken:
        for one in (event.owner, *event.others):
            firsts[one.id] = min(firsts.get(one.id, event.occurred_at), event.occurred_at)
    met = glimpse(taken).met
    assert {name: at for name, (_, at) in met.items()} == firsts
    assert all(ref.id == name for name, (ref, _) in met.items())
