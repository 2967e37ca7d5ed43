"""Who is who, told anew from the interactions' JSON as ADR 11 has it, naively and by nothing of profile's own."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tests.oracle import event_time, owner_of, unique

Json = Any
Rules = Mapping[str, Any]
"""As `config/identity.yaml` has them."""
Decision = Mapping[str, Any]
"""`at`, `id`, `verdict` (together, apart, free, block, unblock), and `pair` or `identity`."""


def whose(values: Iterable[bytes], rules: Rules, decisions: Iterable[Decision] = ()) -> dict[str, str]:
    """Return the customer of every identity, from interactions in any order, repeats included."""
    events, said = unique(values), list(decisions)
    people = _people(events)
    customer = {name: {name} for name in people}
    for _, forced, one, other in sorted(_links(events, people, rules, said)):
        if customer[one] is customer[other] or not (forced or _fit(customer[one], customer[other], people, rules)):
            continue
        together = customer[one] | customer[other]
        customer |= dict.fromkeys(together, together)
    return {name: min(customer[name], key=lambda one: _seniority(people[one], rules)) for name in people}


def _people(events: list[Json]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for event in events:
        for one in event["identities"]:
            first = min(event_time(event), found.get(one["id"], {"first": event_time(event)})["first"])
            found[one["id"]] = {**one, "first": first}
    return found


def _links(events: list[Json], people: dict[str, Json], rules: Rules, decisions: list[Decision]) -> Iterable[Json]:
    """List the links that may hold, each with its turn."""
    pairs = _pairs(events)
    partners: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        partners[one].add(other)
        partners[other].add(one)
    signed_in = _signed_in(pairs, people, rules)
    words, blocks = _last_words(decisions)
    blocked = {name for name, one in people.items() if blocks.get(name, _stands_for_nobody(one, rules))}
    crowded = {name for name, met in partners.items() if len(met) > rules["most_partners"]}
    for pair in sorted({*pairs, *words}):
        verdict, since = words.get(pair, ("free", None))
        if blocked & {*pair}:
            continue
        weaker, stronger = sorted((_rank(people[one], rules) for one in pair), reverse=True)
        if verdict == "together":
            yield (since, weaker, stronger), True, *pair
        if pair not in pairs or verdict == "apart" or crowded & {*pair}:
            continue
        if all(_follows(signed_in[device], person, rules) for device, person in (pair, pair[::-1])):
            yield (min(pairs[pair]), weaker, stronger), False, *pair


def _pairs(events: list[Json]) -> dict[tuple[str, str], list[Json]]:
    """List the marks of the events that link two identities: the strongest of an event, and another one."""
    found: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for event in events:
        owner = owner_of(event)
        for other in {one["id"] for one in event["identities"]} - {owner}:
            mark = event_time(event), event["message_id"], event["source"]
            found[min(owner, other), max(owner, other)].append(mark)
    return found


def _signed_in(pairs: Mapping[tuple[str, str], list[Json]], people: dict[str, Json], rules: Rules) -> Json:
    """List who signed in on each device, by the mark of the last time."""
    found: dict[str, list[Json]] = defaultdict(list)
    for pair, marks in pairs.items():
        for device, person in (pair, pair[::-1]):
            if people[device]["kind"] in rules["devices"] and people[person]["kind"] == rules["priority"][0]:
                found[device].append((max(marks), person))
    return found


def _follows(signed_in: list[Json], person: str, rules: Rules) -> bool:
    """Tell whether a device is this one's, if this is one of those who signed in on it."""
    if person not in {one for _, one in signed_in}:
        return True
    return len(signed_in) == 1 if rules["device_follows"] == "visit" else max(signed_in)[1] == person


def _last_words(decisions: list[Decision]) -> tuple[dict[tuple[str, str], Json], dict[str, bool]]:
    """Return the last verdict on each pair with its mark, and on each identity whether it is blocked."""
    order = ["free", "together", "apart", "unblock", "block"]
    words, blocks = {}, {}
    for said in sorted(decisions, key=lambda one: (one["at"], one["id"], order.index(one["verdict"]))):
        if "pair" in said:
            words[min(said["pair"]), max(said["pair"])] = said["verdict"], (said["at"], said["id"], "")
        else:
            blocks[said["identity"]] = said["verdict"] == "block"
    return words, blocks


def _stands_for_nobody(one: Json, rules: Rules) -> bool:
    blocked = rules["blocked"]
    return one["value"].casefold() in {
        value.casefold() for value in (*blocked.get(one["kind"], ()), *blocked.get("others", ()))
    }


def _fit(one: set[str], other: set[str], people: dict[str, Json], rules: Rules) -> bool:
    """Tell whether two customers together have too many identities of no kind that both have."""
    mine, theirs = ([people[name]["kind"] for name in side] for side in (one, other))
    limits = rules["limits"]
    return all(
        mine.count(kind) + theirs.count(kind) <= limits.get(kind, limits["others"]) for kind in {*mine} & {*theirs}
    )


def _rank(one: Json, rules: Rules) -> tuple[int, str, str]:
    priority = rules["priority"]
    return (priority.index(one["kind"]) if one["kind"] in priority else len(priority), one["kind"], one["id"])


def _seniority(one: Json, rules: Rules) -> Json:
    rank, kind, name = _rank(one, rules)
    return rank, kind, one["first"], name
