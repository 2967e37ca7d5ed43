"""Rows that this worker wrote last: a read less for whoever comes again soon.

Its unit is the customer: a root read again beside a remembered identity of its would join what does not belong
together. Being wrong as a whole costs a redo and never a record: the write checks the version each was read at.
"""

from collections.abc import Iterable, Mapping
from itertools import islice

from services.profile.domain.clusters import Cluster, Stored


class StateCache:
    """At most `most` identities by id, with the clusters they are in; who was not written for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._states: dict[str, Stored] = {}
        self._clusters: dict[str, tuple[Cluster, frozenset[str]]] = {}

    def split(self, identities: Mapping[str, bytes]) -> tuple[dict[str, Stored], list[bytes]]:
        """Return the identities that are here, and the others' ids as bytes."""
        states = self._states
        found: dict[str, Stored] = {}
        missing: list[bytes] = []
        for identity_id, key in identities.items():
            stored = states.get(identity_id)
            if stored is None:
                missing.append(key)
            else:
                found[identity_id] = stored
        return found, missing

    def cluster(self, root: str) -> Cluster | None:
        """Return a customer of several identities, if it is here."""
        found = self._clusters.get(root)
        return None if found is None else found[0]

    def put(self, written: Iterable[tuple[str, Stored]]) -> None:
        """Remember identities, each a customer of its own, as they were just written."""
        states = self._states
        for identity_id, stored in written:
            states.pop(identity_id, None)
            states[identity_id] = stored
        self._shrink()

    def put_cluster(self, root: str, cluster: Cluster, identities: Mapping[str, Stored]) -> None:
        """Remember a customer of several identities with those that were seen, in place of what was known of it."""
        self.drop(identities, (root,))
        if len(identities) < self._most:
            self._states.update(identities)
            self._clusters[root] = cluster, frozenset(identities)
            self._shrink()

    def drop(self, identities: Iterable[str], roots: Iterable[str]) -> None:
        """Forget these, and all that belongs to them."""
        for identity_id in identities:
            self._drop(identity_id)
        for root in roots:
            self._drop_cluster(root)

    def _drop(self, identity_id: str) -> None:
        stored = self._states.pop(identity_id, None)
        if stored is not None and stored.root is not None:
            self._drop_cluster(stored.root)

    def _drop_cluster(self, root: str) -> None:
        _, identities = self._clusters.pop(root, (None, ()))
        for identity_id in identities:
            self._states.pop(identity_id, None)

    def _shrink(self) -> None:
        over = len(self._states) - self._most
        if over <= 0:
            return
        for identity_id in list(islice(self._states, over)):
            self._drop(identity_id)

    def clear(self) -> None:
        """Forget all."""
        self._states.clear()
        self._clusters.clear()
