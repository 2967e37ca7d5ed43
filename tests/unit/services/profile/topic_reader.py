"""What a consumer makes of the topic of customers, and what the rows hold: both as canonical JSON by customer."""

import json
from collections.abc import Iterable, Sequence

from services.profile.domain.record import record_of
from services.profile.domain.state import State
from services.profile.handlers import ProfileHandler
from shared.contracts.codec import canonical
from shared.contracts.topics import CUSTOMERS
from shared.runtime.errors import StaleStateError
from shared.runtime.handler import Message, Publication
from shared.runtime.records import Record
from tests.unit.services.profile.in_memory import InMemoryCustomers, apply


class CustomersRead:
    """The last message by key: one with a lower version than the last is a fault."""

    def __init__(self) -> None:
        self.last: dict[str, tuple[int, Message]] = {}

    def take(self, published: Iterable[Publication]) -> None:
        """Read what was published."""
        for one in published:
            if one.topic == CUSTOMERS.name:
                key = one.message.key.decode()
                version = int(dict(one.message.headers)["ce_version"])
                assert version > self.last.get(key, (0, None))[0], f"{key} at {version} after {self.last[key]}"
                self.last[key] = version, one.message

    def records(self) -> dict[str, bytes]:
        """Return every record, without memberships; each redirect must lead to one."""
        records, leads = {}, {}
        for key, (_, message) in self.last.items():
            if message.value is None:
                continue
            said = json.loads(message.value)
            if "redirect_to" in said:
                leads[key] = said["redirect_to"]
            else:
                records[key] = _without_memberships(message.value)
        assert set(leads.values()) <= records.keys(), "a redirect leads nowhere"
        return records

    def redirects(self) -> dict[str, str]:
        """Return where each id that is no customer's own any more leads."""
        said = {key: json.loads(message.value or b"{}") for key, (_, message) in self.last.items()}
        return {key: one["redirect_to"] for key, one in said.items() if "redirect_to" in one}

    def whose(self) -> dict[str, str]:
        """Return whose each identity is: of all that records and redirects say, the greatest membership counts."""
        greatest: dict[str, tuple[int, str]] = {}
        for key, (_, message) in self.last.items():
            said = json.loads(message.value or b"{}")
            named = [one["id"] for one in said.get("identities", ())]
            counts = dict.fromkeys(named, 1) | said.get("memberships", {})
            customer = said.get("redirect_to", key)
            for identity, count in counts.items():
                known = greatest.get(identity, (0, ""))
                assert count != known[0] or customer == known[1], f"{identity} is two customers' by {count}"
                greatest[identity] = max(known, (count, customer))
        return {identity: customer for identity, (_, customer) in greatest.items()}

    def versions(self) -> dict[str, int]:
        """Return the last version of every key."""
        return {key: version for key, (version, _) in self.last.items()}


def _without_memberships(value: bytes) -> bytes:
    head, _, tail = value.partition(b',"memberships":{')
    if not tail:
        return value
    _, _, rest = tail.partition(b"}")
    return head + rest


async def commit(handler: ProfileHandler, batch: Sequence[Record], topic: CustomersRead) -> None:
    """Apply a batch and read what it publishes; what is stale is redone on what is there now."""
    for _ in range(2):
        try:
            _, published = await apply(handler, batch)
        except StaleStateError:
            handler.forget()
        else:
            topic.take(published)
            return
    raise AssertionError("a batch was stale twice with nobody else at work")


async def customers_of(store: InMemoryCustomers) -> dict[str, bytes]:
    """Render every customer that did anything."""
    states: dict[str, State] = {}
    for key in store.rows:
        row = store.rows[key].stored()
        if row.root is None and row.state is not None:
            states[key.hex()] = row.state
    states |= {root: one.state for root, one in store.customers.items() if one.summary.active}
    return {name: canonical(record_of(name, state)) for name, state in states.items()}
