"""The topic of customers, read as whoever starts from nothing does, beside what the oracle says."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.faults.apart import apart
from tests.faults.kafka import OnTopic

Json = Any


def on_topic(records: Sequence[OnTopic], whose: Mapping[str, str], wanted: Mapping[str, Json]) -> list[str]:
    """Compare the last version of each key, and the greatest membership of each identity, with what must be."""
    said = _last(records)
    leads = {key: one["redirect_to"] for key, one in said.items() if "redirect_to" in one}
    found = {key: one for key, one in said.items() if "identities" in one}
    told = [] if leads else ["nobody was merged: nothing was proven"]
    told += apart("redirects", Counter((key, whose.get(key)) for key in leads), Counter(leads.items()))
    claimed = _believed(said)
    told += [
        f"whose {one} is: expected {whose.get(one)}, found {claimed.get(one)}"
        for one in sorted({*claimed, *(one for one, customer in whose.items() if customer in wanted)})
        if claimed.get(one) != whose.get(one)
    ]
    for key in sorted(wanted.keys() | found.keys()):
        mine, theirs = dict(wanted.get(key, {})), dict(found.get(key, {}))
        theirs.pop("memberships", None)
        parts = [part for part in sorted({*mine, *theirs}) if mine.get(part) != theirs.get(part)]
        told += [f"customer {key}: {part}: expected {mine.get(part)}, found {theirs.get(part)}" for part in parts]
    return told[:10]


def _last(records: Sequence[OnTopic]) -> Mapping[str, Json]:
    last: dict[str, tuple[int, Json]] = {}
    for one in records:
        known = last.get(one.key.decode(), (0, None))
        if one.number("ce_version") > known[0]:
            value = json.loads(one.value or b"{}", parse_float=Decimal)
            last[one.key.decode()] = one.number("ce_version"), value
    return {key: value for key, (_, value) in last.items()}


def _believed(said: Mapping[str, Json]) -> Mapping[str, str]:
    """Of what records and redirects say about an identity, believe the greatest membership."""
    greatest: dict[str, tuple[int, str]] = {}
    for key, one in said.items():
        counts = dict.fromkeys((named["id"] for named in one.get("identities", ())), 1) | one.get("memberships", {})
        for identity, count in counts.items():
            greatest[identity] = max(greatest.get(identity, (0, "")), (count, one.get("redirect_to", key)))
    return {identity: customer for identity, (_, customer) in greatest.items()}
