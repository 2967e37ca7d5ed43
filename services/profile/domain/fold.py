"""The fold: each event moves sums, extremes and registers by rules that commute, so order and batching do not matter.

Applying the same event twice does: who folds has dropped duplicates before (a sum cannot tell).
"""

from datetime import datetime

from services.profile.domain.effects import ConsentSaid, OrderCompleted, TraitsSaid
from services.profile.domain.event import Event
from services.profile.domain.notes import Noted
from services.profile.domain.registers import MONEY, addresses, counted, heard, summed, united, written
from services.profile.domain.state import ConsentRegister, Register, State
from shared.contracts.customers import MOST_CASES, MOST_CONSENTS, MOST_IDENTITIES, MOST_TRAITS
from shared.contracts.identities import IdentityKind

_add = MONEY.add
_EMAIL = IdentityKind.EMAIL.value


def begin(at: datetime) -> State:
    """Return the state of whoever's first event, at `at`, is about to be applied."""
    return State(at, at)


def apply(state: State, event: Event) -> None:
    """Fold one event that was not applied before into a state that the caller owns, with every identity it names.

    Sums add; first and last are minima and maxima; a trait keeps its greatest write by (event time, message id, source,
    value), a consent by (event time, withdrawal after opt-in), identities are united. All of them commute.
    """
    identities = state.identities
    for identity in event.interaction.identities:
        if identities.get(identity.id) != identity:
            state.identities = identities = dict(united(identities, (identity,), MOST_IDENTITIES))
    note(state, event)


def note(state: State, event: Event) -> None:
    """Fold one event likewise, but for the identities: for who knows from the graph whose they are."""
    at = event.occurred_at
    if at > state.last_at:
        state.last_at = at
    elif at < state.first_at:
        state.first_at = at
    effect = event.effect
    if effect is None:
        return
    if isinstance(effect, OrderCompleted):
        _count_order(state, effect, at)
    elif isinstance(effect, Noted):
        _take_note(state, effect, event)
    elif isinstance(effect, TraitsSaid):
        writes = [(name, _register(event, value)) for name, value in effect.values]
        state.traits = written(state.traits, writes, MOST_TRAITS)
    else:
        _hear(state, effect, at)


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


def _hear(state: State, said: ConsentSaid, at: datetime) -> None:
    state.consent = dict(heard(state.consent, ((said.subject, ConsentRegister(at, said.state)),), MOST_CONSENTS))


def _take_note(state: State, noted: Noted, event: Event) -> None:
    at = event.occurred_at
    if noted.tally is not None:
        state.tallies = {**state.tallies, noted.tally: counted(state.tallies.get(noted.tally), at)}
    if noted.amount is not None and noted.tally is not None:
        spent = summed(state.sums.get(noted.tally, {}), {noted.currency: noted.amount})
        state.sums = {**state.sums, noted.tally: spent}
    for book, name, value in noted.writes:
        page = written(state.registers.get(book, {}), ((name, _register(event, value)),), MOST_CASES)
        state.registers = {**state.registers, book: page}
    if noted.mail is not None:
        mail = noted.mail(at)
        reached = [(one.id, mail) for one in event.interaction.identities if one.kind == _EMAIL]
        state.mail = addresses(state.mail, reached, MOST_IDENTITIES)


def _register(event: Event, value: bytes) -> Register:
    interaction = event.interaction
    return Register(event.occurred_at, interaction.message_id, interaction.source, value)
