"""Who a customer is now: ids are merged and set apart again, and of two words about one the greater number is believed.

Records, redirects and removals of different ids come in any order. A redirect alone is not enough to write to somebody:
what was agreed to under the old id may be withdrawn under the new one in a record that is still to come. So the new
customer's record must itself say that the old id is one of its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.engagement.domain.contact import Contact


@dataclass(frozen=True, slots=True)
class Membership:
    """Whose an identity is; `number` counts its customers, and who was always its own customer has none told."""

    customer_id: str
    number: int


def greater(one: Membership | None, other: Membership) -> Membership:
    """Return the one of two memberships of an identity that is believed, whichever was told first."""
    if one is None or (other.number, other.customer_id) > (one.number, one.customer_id):
        return other
    return one


def believed(known: Mapping[str, Membership], told: Iterable[tuple[str, Membership]]) -> dict[str, Membership]:
    """Return what is believed of identities after all that was told of them."""
    found = dict(known)
    for identity_id, membership in told:
        found[identity_id] = greater(found.get(identity_id), membership)
    return found


def owner_of(customer_id: str, memberships: Mapping[str, Membership]) -> str:
    """Name the customer that an id is now of: itself, as long as nothing else was told."""
    told = memberships.get(customer_id)
    return customer_id if told is None else told.customer_id


def follow(own: Contact, contacts: Mapping[str, Contact], memberships: Mapping[str, Membership]) -> Contact | None:
    """Return who that customer is now, or nothing as long as that can't be told.

    `own` is what stands under the customer's own id, `contacts` are by id. What is nothing now is told by a message
    that is on its way: the new customer's record, or another redirect or record of the old id.
    """
    told = memberships.get(own.customer_id)
    now = own if told is None or told.customer_id == own.customer_id else contacts.get(told.customer_id)
    if now is not None and now.record is not None:
        absent = 1 if now is own else 0
        if now.record.memberships.get(own.customer_id, absent) >= (1 if told is None else told.number):
            return now
    gone = own.record is None and own.redirect_to is None
    return own if gone else None
