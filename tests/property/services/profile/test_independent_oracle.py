"""The live code against an oracle that shares none of it: who is who, every record, and what stands on the topic."""

import asyncio
import json
import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.identity_rules import IdentityRules
from shared.contracts.interactions import Interaction
from shared.runtime.records import PlainRecord
from tests import oracle_people
from tests.property.services.profile import histories
from tests.property.services.profile.crowds import crowds
from tests.property.services.profile.histories import KINDS, Seen, Step, told
from tests.property.services.profile.oracle_held import expected, holds, parted
from tests.property.services.profile.plain_rules import decisions, plainly
from tests.property.services.profile.strategies import interaction, record
from tests.unit.services.profile.identity_book import IdentityBook
from tests.unit.services.profile.in_memory import InMemoryCustomers, new_handler
from tests.unit.services.profile.topic_reader import CustomersRead, commit


def values_of(steps: Sequence[Step]) -> list[bytes]:
    """Write events that name identities as interactions; whom people decided about was seen, later than all."""
    return [
        json.dumps(
            {
                "message_id": step.mark.message_id,
                "source": step.mark.source,
                "identities": [{"id": name, "kind": KINDS[name[0]], "value": name} for name in step.names],
                "occurred_at": step.mark.at.isoformat(),
                "received_at": step.mark.at.isoformat(),
                "dedupe_key": f"{number}",
            }
        ).encode()
        for number, step in enumerate(_seen(steps))
    ]


def _seen(steps: Sequence[Step]) -> list[Seen]:
    book = told(IdentityBook(IdentityRules()), list(steps))
    alone = [Seen((name,), histories.LAST) for name in book.nodes]
    return [*(step for step in steps if isinstance(step, Seen)), *alone]


@given(histories.histories, histories.rules)
def test_who_is_who_by_summaries_is_what_the_oracle_says_of_all_links(
    history: list[Step], rules: IdentityRules
) -> None:
    book = told(IdentityBook(rules), history)
    found = oracle_people.whose(values_of(history), plainly(rules), decisions(history))
    groups = {frozenset(name for name in found if found[name] == customer) for customer in found.values()}
    assert book.groups() == groups


@given(crowds, histories.rules, st.randoms(use_true_random=False), st.sampled_from([0, 3, 1000]))
def test_any_order_repetition_batching_and_parting_ends_with_the_oracle_s_records_and_redirects(
    said: list[Interaction], rules: IdentityRules, chance: random.Random, cached: int
) -> None:
    whose, records = expected(said, rules)
    store, topic = InMemoryCustomers(), CustomersRead()
    workers = [new_handler(store, cached, rules) for _ in range(2)]
    by_lane: dict[int, list[PlainRecord]] = {}
    for one in parted(said, chance):
        by_lane.setdefault(one.partition, []).append(one)
    while by_lane:
        lane = chance.choice(sorted(by_lane))
        size = chance.choice([1, 2, 5, 20])
        batch, left = by_lane[lane][:size], by_lane[lane][size:]
        by_lane |= {lane: left}
        if not left:
            del by_lane[lane]
        asyncio.run(commit(workers[lane % 2], batch, topic))
    holds(topic, whose, records)


def test_the_oracle_keeps_a_worked_history_apart_and_together_as_its_page_says() -> None:
    eva, tom = (("user_id", "u-eva"), ("user_id", "u-tom"))
    tablet, phone, mail = ("anonymous_id", "tablet"), ("ios.id", "phone"), ("email", "home@example.com")
    events = [
        interaction(f"m-{number}", ("Product Viewed", "browse", {}), who)
        for number, who in enumerate([(eva, tablet), (tom, tablet), (eva, phone), (eva, mail), (tom, mail)])
    ]
    found = oracle_people.whose([record(one).value or b"" for one in events], plainly(IdentityRules()))
    name = {one.value: one.id for event in events for one in event.identities}
    # The tablet follows who signed in last. The address would make one customer of two users, so who came first has it.
    assert found[name["tablet"]] == name["u-tom"]
    assert found[name["phone"]] == found[name["home@example.com"]] == name["u-eva"]
