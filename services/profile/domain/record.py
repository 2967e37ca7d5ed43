"""The customer record as it is published, drawn from the state."""

from datetime import datetime

import msgspec

from services.profile.domain.state import ConsentRegister, State, TraitRegister
from shared.contracts.codec import canonical
from shared.contracts.customers import Consent, CustomerRecord, Lifecycle, Orders, Trait
from shared.contracts.identities import IdentityKind, IdentityRef, strength
from shared.contracts.money import totals

UNSET = b"null"
_KNOWN_BY = frozenset({str(IdentityKind.USER_ID), str(IdentityKind.EMAIL)})


def record_of(customer_id: str, state: State) -> CustomerRecord:
    """Draw the record: identities strongest first, traits that are set, revenue by currency."""
    return CustomerRecord(
        customer_id=customer_id,
        identities=_identities(state),
        traits=_traits(state),
        orders=_orders(state),
        consent=_consent(state),
        first_at=state.first_at,
        last_at=state.last_at,
        lifecycle=lifecycle_of(state),
    )


def lifecycle_of(state: State) -> Lifecycle:
    """Tell how far the relationship has come: an order makes a customer, a user id or an address a lead."""
    if state.order_count:
        return Lifecycle.CUSTOMER
    if any(identity.kind in _KNOWN_BY for identity in state.identities.values()):
        return Lifecycle.LEAD
    return Lifecycle.VISITOR


class Portrait(msgspec.Struct, frozen=True, gc=False):
    """The parts of a record that seldom change, as JSON, beside what each was drawn from.

    Most events are orders or visits: drawing these parts anew each time would be two thirds of a record's cost.
    """

    of_identities: dict[str, IdentityRef]
    of_traits: dict[str, TraitRegister]
    of_consent: dict[str, ConsentRegister]
    identities: msgspec.Raw
    traits: msgspec.Raw
    consent: msgspec.Raw


class _Framed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A `CustomerRecord` whose slow parts are JSON already; the same fields in the same order."""

    customer_id: str
    identities: msgspec.Raw
    traits: msgspec.Raw
    orders: Orders | None
    consent: msgspec.Raw
    first_at: datetime
    last_at: datetime
    lifecycle: Lifecycle


def portray(state: State, before: Portrait | None) -> Portrait:
    """Draw the parts that seldom change, or take over from `before` what is still the same.

    The fold replaces a dictionary that changes, so one that is still the same object holds the same.
    """
    identities, traits, consent = state.identities, state.traits, state.consent
    if (
        before is not None
        and before.of_identities is identities
        and before.of_traits is traits
        and before.of_consent is consent
    ):
        return before
    return Portrait(
        identities,
        traits,
        consent,
        msgspec.Raw(canonical(_identities(state))),
        msgspec.Raw(canonical(_traits(state))),
        msgspec.Raw(canonical(_consent(state))),
    )


def render(customer_id: str, state: State, portrait: Portrait) -> bytes:
    """Encode the record as canonical JSON: two customers' records are equal exactly when these bytes are.

    The bytes are those of `canonical(record_of(customer_id, state))`.
    """
    return canonical(
        _Framed(
            customer_id=customer_id,
            identities=portrait.identities,
            traits=portrait.traits,
            orders=_orders(state),
            consent=portrait.consent,
            first_at=state.first_at,
            last_at=state.last_at,
            lifecycle=lifecycle_of(state),
        )
    )


def _identities(state: State) -> tuple[IdentityRef, ...]:
    return tuple(sorted(state.identities.values(), key=strength))


def _traits(state: State) -> dict[str, Trait]:
    return {
        name: Trait(msgspec.Raw(register.value), register.source, register.at)
        for name, register in state.traits.items()
        if register.value != UNSET
    }


def _consent(state: State) -> dict[str, Consent]:
    return {subject: Consent(said.state, said.at) for subject, said in state.consent.items()}


def _orders(state: State) -> Orders | None:
    first, last = state.first_order_at, state.last_order_at
    if first is None or last is None:
        return None
    return Orders(state.order_count, totals(state.revenue), first, last)
