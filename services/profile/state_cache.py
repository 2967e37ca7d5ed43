"""States of customers that this worker wrote last: a read less for whoever comes again soon.

Being wrong costs a redo and never a record: the write checks the version that each was read at.
"""

from collections.abc import Iterable, Mapping

from services.profile.ports import Stored


class StateCache:
    """At most `most` states by customer id; the ones that were not written for longest go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._states: dict[str, Stored] = {}

    def split(self, customers: Mapping[str, bytes]) -> tuple[dict[str, Stored], list[bytes]]:
        """Return the states that are here, and the other customers' ids as bytes."""
        states = self._states
        found: dict[str, Stored] = {}
        missing: list[bytes] = []
        for customer_id, key in customers.items():
            stored = states.get(customer_id)
            if stored is None:
                missing.append(key)
            else:
                found[customer_id] = stored
        return found, missing

    def put(self, written: Iterable[tuple[str, Stored]]) -> None:
        """Remember states as they were just written."""
        states = self._states
        for customer_id, stored in written:
            states.pop(customer_id, None)
            states[customer_id] = stored
        for customer_id in list(states)[: max(0, len(states) - self._most)]:
            del states[customer_id]

    def clear(self) -> None:
        """Forget all."""
        self._states.clear()
