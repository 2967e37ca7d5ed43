"""Holding what is live against the oracle: every record, whose each identity is, and what leads where."""

import json
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from services.profile.domain.identity_rules import IdentityRules
from shared.contracts.interactions import Interaction
from shared.contracts.partitioning import lane_of
from shared.runtime.records import PlainRecord
from tests import oracle, oracle_people
from tests.property.services.profile.plain_rules import plainly
from tests.property.services.profile.strategies import record
from tests.unit.services.profile.topic_reader import CustomersRead

Json = Any
LANES = 4


def expected(
    said: Sequence[Interaction], rules: IdentityRules, decided: Sequence[oracle_people.Decision] = ()
) -> tuple[Mapping[str, str], Mapping[str, Json]]:
    """Return whose each identity is and every record, by the oracle."""
    values = [record(one).value or b"" for one in said]
    whose = oracle_people.whose(values, plainly(rules), decided)
    return whose, oracle.fold(values, whose)


def parted(said: Sequence[Interaction], chance: random.Random) -> list[PlainRecord]:
    """Repeat some, and put all on the topic in any order across lanes, now and then in another's lane."""
    again = [*said, *chance.sample(said, len(said) // 3)]
    chance.shuffle(again)
    lanes = [
        lane_of(one.identities[0].id, LANES) if chance.random() < 0.9 else chance.randrange(LANES) for one in again
    ]
    return [record(one, lane=lane) for one, lane in zip(again, lanes, strict=True)]


def holds(topic: CustomersRead, whose: Mapping[str, str], records: Mapping[str, Json]) -> None:
    """Demand that a consumer of the topic has the oracle's records, and knows whose each identity is."""
    found = {key: json.loads(value, parse_float=Decimal) for key, value in topic.records().items()}
    assert found == records
    assert topic.redirects() == {name: whose[name] for name in topic.redirects()}
    gone = topic.last.keys() - topic.redirects().keys() - found.keys()
    assert {name: whose[name] for name in gone} == {name: name for name in gone}
    told_of = topic.whose()
    assert told_of == {name: whose[name] for name in told_of}
    assert told_of.keys() >= {name for name, customer in whose.items() if customer in records}
