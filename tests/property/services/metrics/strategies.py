"""Events as metrics sees them: few customers, days and campaigns, so that they meet."""

from decimal import Decimal

from hypothesis import strategies as st

from services.metrics.domain.events import (
    ActivitySeen,
    CustomerSeen,
    Erased,
    Event,
    Membership,
    MessageReached,
    OrderTotal,
    SegmentChanged,
)

customers = st.integers(1, 4).map(lambda number: number.to_bytes(16, "big"))
days = st.integers(20_000, 20_120)
totals = st.builds(
    OrderTotal,
    st.sampled_from(["EUR", "USD", "XXX"]),
    st.decimals("-100", "100000", places=4) | st.sampled_from([Decimal(0), Decimal("9" * 30), Decimal("1e-30")]),
)
memberships = st.builds(Membership, customers, customers, st.integers(1, 3))
activities = st.builds(ActivitySeen, customers, days, st.none() | totals, st.none() | memberships)
changes = st.builds(
    SegmentChanged, st.integers(0, 1), st.sampled_from(["new", "loyal"]), days, st.sampled_from(["entered", "exited"])
)


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Draw what was said, with versions and places in the log that no two different messages share."""
    facts: list[Event] = draw(st.lists(activities | changes | st.just(Erased()), max_size=40))
    for number, (key, state) in enumerate(
        draw(
            st.lists(
                st.tuples(st.sampled_from(["k-1", "k-2"]), st.sampled_from(["planned", "accepted", "skipped"])),
                max_size=8,
            )
        )
    ):
        rule = "no_consent" if state == "skipped" else None
        facts.append(MessageReached(key, (1 + number // 5, number), "welcome", "email", state, 20_000, rule))
    for number, (customer, lifecycle) in enumerate(
        draw(st.lists(st.tuples(customers, st.sampled_from(["visitor", "lead", "customer", None])), max_size=8))
    ):
        told = draw(st.lists(memberships, max_size=2))
        facts.append(CustomerSeen(customer, (1 + number // 5, number), lifecycle, tuple(told)))
    return facts
