"""What a consumer makes of the topic of customers, and what the rows hold: both as canonical JSON by customer."""

import json
from collections.abc import Iterable

from services.profile.domain.record import record_of
from services.profile.domain.state import State
from shared.contracts.codec import canonical
from shared.contracts.topics import CUSTOMERS
from shared.runtime.handler import Message, Publication
from tests.unit.services.profile.in_memory import InMemoryCustomers


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

    def versions(self) -> dict[str, int]:
        """Return the last version of every key."""
        return {key: version for key, (version, _) in self.last.items()}


def _without_memberships(value: bytes) -> bytes:
    head, _, tail = value.partition(b',"memberships":{')
    if not tail:
        return value
    _, _, rest = tail.partition(b"}")
    return head + rest


async def customers_of(store: InMemoryCustomers) -> dict[str, bytes]:
    """Render every customer that did anything."""
    states: dict[str, State] = {}
    for key in store.rows:
        row = store.rows[key].stored()
        if row.root is None and row.state is not None:
            states[key.hex()] = row.state
    states |= {root: one.state for root, one in store.customers.items() if one.summary.active}
    return {name: canonical(record_of(name, state)) for name, state in states.items()}
