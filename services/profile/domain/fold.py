"""The fold: each event moves sums, extremes and registers by rules that commute, so order and batching do not matter.

Applying the same event twice does: who folds has dropped duplicates before (a sum cannot tell).
"""

from datetime import datetime
from decimal import Context, Inexact
from heapq import nlargest, nsmallest

from services.profile.domain.effects import ConsentSaid, OrderCompleted, TraitsSaid
from services.profile.domain.event import Event
from services.profile.domain.state import ConsentRegister, State, TraitRegister
from shared.contracts.customers import MOST_CONSENTS, MOST_IDENTITIES, MOST_TRAITS, ConsentStatus
from shared.contracts.identities import IdentityRef, strength

# The usual 28 digits would round a sum of large and small amounts, and then the order of adding shows.
MONEY = Context(prec=60, traps=[Inexact])
_add = MONEY.add


def begin(at: datetime) -> State:
    """Return the state of a customer whose first event, at `at`, is about to be applied."""
    return State(at, at)


def apply(state: State, event: Event) -> None:
    """Fold one event that was not applied before into a state that the caller owns.

    Sums add; first and last are minima and maxima; a trait keeps its greatest write by (event time, message id, source,
    value), a consent by (event time, withdrawal after opt-in), identities are united. All of them commute.

    Of too many, the traits and consents said last and the strongest identities stay, which commutes too: whatever was
    dropped ranks below as many others, and these only ever rise.
    """
    at = event.occurred_at
    if at > state.last_at:
        state.last_at = at
    elif at < state.first_at:
        state.first_at = at
    identities = state.identities
    for identity in event.interaction.identities:
        if identities.get(identity.id) != identity:
            _unite(state, identity)
    effect = event.effect
    if effect is None:
        return
    if isinstance(effect, OrderCompleted):
        _count_order(state, effect, at)
    elif isinstance(effect, TraitsSaid):
        _write_traits(state, effect, event)
    else:
        _hear(state, effect, at)


def _unite(state: State, identity: IdentityRef) -> None:
    known = state.identities.get(identity.id)
    # Two values under one id break the contract; the lesser one stays, so that their order still does not matter.
    if known is None or (identity.kind, identity.value) < (known.kind, known.value):
        identities = state.identities | {identity.id: identity}
        if len(identities) > MOST_IDENTITIES:
            identities = {one.id: one for one in nsmallest(MOST_IDENTITIES, identities.values(), key=strength)}
        if identity.id in identities:
            state.identities = identities


def _count_order(state: State, order: OrderCompleted, at: datetime) -> None:
    state.order_count += 1
    first, last, amount = state.first_order_at, state.last_order_at, order.amount
    if first is None or at < first:
        state.first_order_at = at
    if last is None or at > last:
        state.last_order_at = at
    if amount is not None:
        revenue, currency = state.revenue, order.currency
        before = revenue.get(currency)
        state.revenue = {**revenue, currency: amount if before is None else _add(before, amount)}


def _write_traits(state: State, said: TraitsSaid, event: Event) -> None:
    traits = dict(state.traits)
    interaction = event.interaction
    for name, value in said.values:
        register = TraitRegister(event.occurred_at, interaction.message_id, interaction.source, value)
        known = traits.get(name)
        if known is None or _rank(register) > _rank(known):
            traits[name] = register
    if len(traits) > MOST_TRAITS:
        traits = dict(nlargest(MOST_TRAITS, traits.items(), key=_trait_rank))
    state.traits = traits


def _trait_rank(trait: tuple[str, TraitRegister]) -> tuple[tuple[datetime, str, str, bytes], str]:
    name, register = trait
    return _rank(register), name


def _rank(register: TraitRegister) -> tuple[datetime, str, str, bytes]:
    return (register.at, register.message_id, register.source, register.value)


def _hear(state: State, said: ConsentSaid, at: datetime) -> None:
    known = state.consent.get(said.subject)
    later = known is None or at > known.at
    tie_taken_back = known is not None and at == known.at and said.state is ConsentStatus.WITHDRAWN
    if later or tie_taken_back:
        consent = state.consent | {said.subject: ConsentRegister(at, said.state)}
        if len(consent) > MOST_CONSENTS:
            consent = dict(nlargest(MOST_CONSENTS, consent.items(), key=_consent_rank))
        state.consent = consent


def _consent_rank(consent: tuple[str, ConsentRegister]) -> tuple[datetime, bool, str]:
    subject, register = consent
    return register.at, register.state is ConsentStatus.WITHDRAWN, subject
