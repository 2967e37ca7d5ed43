"""Whose an identity is: the greatest membership number that was ever read decides, in whatever order it was read."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from services.segmenter.domain.customer import UNKNOWN, Customer, accompanied, changed, own_tallies, tied
from services.segmenter.domain.tallies import Tally, joined

Rows = Mapping[str, Customer]


class Move(msgspec.Struct, frozen=True, gc=False):
    """A message's word that an identity is a customer's, by its membership number."""

    customer: str
    membership: int


class Wanting(msgspec.Struct, frozen=True):
    """What is still to be read: rows, and customers together with everybody that belongs to them."""

    ids: frozenset[str]
    families: frozenset[str] = frozenset()


class Relocation(msgspec.Struct, frozen=True):
    """The rows that moves change; `parted` are the customers that somebody left, or that came back."""

    rows: Mapping[str, Customer]
    parted: frozenset[str]


def offer(moves: dict[str, Move], identity: str, move: Move) -> None:
    """Take note of a move, unless a greater one of the identity is known."""
    known = moves.get(identity)
    if known is None or move.membership > known.membership:
        moves[identity] = move


def owner(identity: str, customer_of: Callable[[str], str | None]) -> str:
    """Follow an identity to the customer it counts for.

    A customer that became part of another one takes along whoever no later word was read of. While words are still
    unread they may lead in a circle, whose least id then holds all that is done in it.
    """
    way = [identity]
    while (following := customer_of(way[-1])) is not None:
        if following in way:
            return min(way[way.index(following) :])
        way.append(following)
    return way[-1]


def owner_in(rows: Rows, identity: str) -> str:
    """Tell the customer that an identity counts for by these rows."""
    return owner(identity, lambda one: _customer_of(rows.get(one)))


def _customer_of(row: Customer | None) -> str | None:
    return None if row is None or row.ties is None else row.ties.customer


def _membership_of(row: Customer | None) -> int:
    if row is None:
        return 0
    return 1 if row.ties is None else row.ties.membership


class Moving:
    """Moves of identities, on rows that may not all be read yet."""

    def __init__(self, rows: Rows, moves: Mapping[str, Move]) -> None:
        self._rows = rows
        self._named = moves.keys()
        self._moves = {
            identity: move for identity, move in moves.items() if move.membership > _membership_of(rows.get(identity))
        }
        self._moved: dict[str, list[str]] = {}
        for identity in self._moves:
            self._moved.setdefault(owner_in(rows, identity), []).append(identity)

    def wanting(self, read: set[str], families: set[str]) -> Wanting | None:
        """Tell what is to be read besides `read` and `families`; nothing if all is there."""
        ids = {*self._named, *(move.customer for move in self._moves.values())}
        ids |= {leads for row in self._rows.values() if (leads := _customer_of(row)) is not None}
        if ids - read:
            return Wanting(frozenset(ids - read))
        torn = {root for root in self._moved if self._is_torn(root)} - families
        return Wanting(frozenset(), frozenset(torn)) if torn else None

    def relocate(self, now: int) -> Relocation:
        """Count every identity's own for the customer it belongs to now; all that is `wanting` must have been read."""
        if not self._moves:
            return Relocation({}, frozenset())
        torn = {root for root in self._moved if self._is_torn(root)}
        left = {root for root in self._moved if root not in torn and self._owner(root) != root}
        parts: dict[str, list[tuple[str, Mapping[str, Tally]]]] = {}
        for identity, row in self._rows.items():
            before = owner_in(self._rows, identity)
            if before in torn:
                parts.setdefault(self._owner(identity), []).append((identity, own_tallies(row)))
            elif identity in left:
                parts.setdefault(self._owner(identity), []).append((identity, row.tallies))
        rows = {identity: self._tied(identity, now) for identity in self._moves}
        touched = torn | left | {root for root, some in parts.items() if any(map(self._counts, some))}
        for root in sorted(touched):
            row = rows.get(root) or self._rows.get(root, UNKNOWN)
            complete = [] if root in torn or root in left else [(root, row.tallies)]
            rows[root] = self._counted(root, row, [*complete, *parts.get(root, [])], now)
        back = {one for one in self._moves if self._owner(one) == one != owner_in(self._rows, one)}
        return Relocation(rows, frozenset(torn | back))

    def _is_torn(self, root: str) -> bool:
        """Tell whether only a part of a customer goes elsewhere."""
        goals = {self._owner(identity) for identity in self._moved[root]}
        return goals != {root} and not (len(goals) == 1 and root in self._moves)

    def _owner(self, identity: str) -> str:
        return owner(identity, self._customer_after)

    def _customer_after(self, identity: str) -> str | None:
        move = self._moves.get(identity)
        if move is None:
            return _customer_of(self._rows.get(identity))
        return None if move.customer == identity else move.customer

    def _tied(self, identity: str, now: int) -> Customer:
        row, move = self._rows.get(identity, UNKNOWN), self._moves[identity]
        if move.customer == identity:
            return tied(row, membership=move.membership, customer=None)
        return tied(accompanied(row, now), membership=move.membership, customer=move.customer)

    def _counts(self, part: tuple[str, Mapping[str, Tally]]) -> bool:
        identity, tallies = part
        return bool(tallies) or bool(self._rows[identity].standings)

    def _counted(
        self, root: str, row: Customer, parts: Iterable[tuple[str, Mapping[str, Tally]]], now: int
    ) -> Customer:
        parts = list(parts)
        alone = all(identity == root for identity, _ in parts) and _customer_of(row) is None
        whole = joined((tallies for _, tallies in parts), now)
        carried = dict((row.ties and row.ties.carried) or {})
        for identity, _ in parts:
            if identity != root:
                for segment, standing in self._rows[identity].standings.items():
                    since = standing.at if standing.inside else standing.kept
                    if since is not None:
                        carried[segment] = min(since, carried.get(segment, since))
        counted = tied(row, own=None) if alone else accompanied(row, now)
        return changed(tied(counted, carried=carried or None), tallies=whole)
