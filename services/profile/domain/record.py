"""The customer record as it is published, drawn from the state."""

import operator
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec

from services.profile.domain import sections
from services.profile.domain.lifecycle import USUAL, Stages, stage_of
from services.profile.domain.notes import SURVEYS
from services.profile.domain.state import State
from shared.contracts.codec import canonical
from shared.contracts.customers import CustomerRecord, Lifecycle, Orders
from shared.contracts.money import totals

Part: TypeAlias = msgspec.Raw | msgspec.UnsetType
"""A part as JSON, or nothing: an empty part is absent from the record."""


NOWHERE_ELSE: Mapping[str, int] = {}
"""The memberships of identities that never had another customer."""


def record_of(customer_id: str, state: State, stages: Stages = USUAL) -> CustomerRecord:
    """Draw the record: identities strongest first, traits that are set, money by currency, cases that are open."""
    return CustomerRecord(
        customer_id=customer_id,
        identities=sections.identities(state),
        traits=sections.traits(state),
        orders=_orders(state),
        consent=sections.consent(state),
        first_at=state.first_at,
        last_at=state.last_at,
        lifecycle=lifecycle_of(state, stages),
        addresses=sections.addresses(state),
        totals=sections.totals_of(state),
        **sections.pages(state),
    )


def lifecycle_of(state: State, stages: Stages = USUAL) -> Lifecycle:
    """Tell how far the relationship has come."""
    return stage_of(state, sections.open_counts(state), stages)


class _Sources(NamedTuple):
    """What the parts of a portrait are drawn from.

    The fold replaces a dictionary that changes, so one that is still the same object holds the same.
    """

    identities: object
    traits: object
    consent: object
    tallies: object
    sums: object
    registers: object
    mail: object


class Portrait(msgspec.Struct, frozen=True, gc=False):
    """The parts of a record that seldom change, as JSON, beside what each was drawn from.

    Most events are orders or visits: drawing these parts anew each time would be two thirds of a record's cost.
    """

    sources: _Sources
    identities: msgspec.Raw
    traits: msgspec.Raw
    consent: msgspec.Raw
    addresses: Part
    totals: Part
    pages: Mapping[str, Part]
    open_counts: Mapping[str, int]


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
    addresses: Part = msgspec.UNSET
    totals: Part = msgspec.UNSET
    answers: Part = msgspec.UNSET
    open_tickets: Part = msgspec.UNSET
    open_complaints: Part = msgspec.UNSET
    open_deals: Part = msgspec.UNSET
    owner: Part = msgspec.UNSET
    account: Part = msgspec.UNSET
    memberships: Mapping[str, int] | msgspec.UnsetType = msgspec.UNSET


def portray(state: State, before: Portrait | None) -> Portrait:
    """Draw the parts that seldom change, or take over from `before` what is still the same."""
    if before is not None and _is_drawn_from(before.sources, state):
        return before
    sources = _Sources(
        state.identities, state.traits, state.consent, state.tallies, state.sums, state.registers, state.mail
    )
    if before is None:
        return Portrait(
            sources,
            _drawn(sections.identities(state)),
            _drawn_by_name(sections.traits(state)),
            _drawn_by_name(sections.consent(state)),
            _present(sections.addresses(state)),
            _present(sections.totals_of(state)),
            _pages(state),
            sections.open_counts(state),
        )
    identities, traits, consent, tallies, sums, registers, mail = map(operator.is_, before.sources, sources)
    return Portrait(
        sources,
        before.identities if identities else _drawn(sections.identities(state)),
        before.traits if traits else _drawn_by_name(sections.traits(state)),
        before.consent if consent else _drawn_by_name(sections.consent(state)),
        before.addresses if identities and mail else _present(sections.addresses(state)),
        before.totals if tallies and sums else _present(sections.totals_of(state)),
        before.pages if registers and (tallies or SURVEYS not in state.registers) else _pages(state),
        before.open_counts if registers else sections.open_counts(state),
    )


def _is_drawn_from(sources: _Sources, state: State) -> bool:
    identities, traits, consent, tallies, sums, registers, mail = sources
    return (
        tallies is state.tallies
        and registers is state.registers
        and identities is state.identities
        and traits is state.traits
        and consent is state.consent
        and mail is state.mail
        and sums is state.sums
    )


def render(
    customer_id: str,
    state: State,
    portrait: Portrait,
    memberships: Mapping[str, int] = NOWHERE_ELSE,
    stages: Stages = USUAL,
) -> bytes:
    """Encode the record as canonical JSON: two customers' records are equal exactly when these bytes are.

    The bytes are those of `canonical(record_of(customer_id, state))`, with the memberships of who moved.
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
            lifecycle=stage_of(state, portrait.open_counts, stages),
            addresses=portrait.addresses,
            totals=portrait.totals,
            memberships=memberships or msgspec.UNSET,
            **portrait.pages,
        )
    )


_NO_PAGES: Mapping[str, Part] = {}
_NOTHING = msgspec.Raw(b"{}")


def _drawn(section: Any) -> msgspec.Raw:
    return msgspec.Raw(canonical(section))


def _drawn_by_name(section: Mapping[str, Any]) -> msgspec.Raw:
    return _drawn(section) if section else _NOTHING


def _present(section: Any) -> Part:
    return _drawn(section) if section else msgspec.UNSET


def _pages(state: State) -> Mapping[str, Part]:
    # Few customers have a ticket, a survey or an owner: an order need not pay for the room of those.
    if not state.registers:
        return _NO_PAGES
    return {name: part for name, page in sections.pages(state).items() if (part := _present(page)) is not msgspec.UNSET}


def _orders(state: State) -> Orders | None:
    first, last = state.first_order_at, state.last_order_at
    if first is None or last is None:
        return None
    return Orders(state.order_count, totals(state.revenue), first, last)
