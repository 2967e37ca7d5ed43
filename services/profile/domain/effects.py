"""What an event does to a customer's record, read from its payload."""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from services.profile.domain.amounts import UnreadableAmountError, amount_of
from services.profile.domain.notes import READERS, Noted
from shared.contracts.catalogue import CONSENT_GIVEN, CONSENT_WITHDRAWN, ORDER_COMPLETED, UNSUBSCRIBED, Family
from shared.contracts.codec import MalformedMessageError, decode
from shared.contracts.customers import LARGEST_TRAIT, LONGEST_TRAIT_NAME, ConsentStatus
from shared.contracts.interactions import ConsentPayload, IdentifyPayload
from shared.contracts.money import Money

ALL_MARKETING_MAIL = "marketing/email"
"""What an `Unsubscribed` takes back."""


class UnreadablePayloadError(ValueError):
    """A payload is not what its event's name promises: where (a JSON path) and what was expected, never the value."""

    def __init__(self, path: str, expected: str) -> None:
        super().__init__(f"{path}: expected {expected}")
        self.path = path
        self.expected = expected


class OrderCompleted(msgspec.Struct, frozen=True, gc=False):
    """An order counts once; without an amount it adds to the count alone."""

    amount: Decimal | None
    currency: str


class TraitsSaid(msgspec.Struct, frozen=True, gc=False):
    """Trait values by name as JSON bytes; `null` unsets a trait."""

    values: tuple[tuple[str, bytes], ...]


class ConsentSaid(msgspec.Struct, frozen=True, gc=False):
    """Consent was given or withdrawn for `purpose/channel`."""

    subject: str
    state: ConsentStatus


Effect = OrderCompleted | TraitsSaid | ConsentSaid | Noted

UNSUBSCRIBE = ConsentSaid(ALL_MARKETING_MAIL, ConsentStatus.WITHDRAWN)


class _Order(msgspec.Struct, frozen=True, gc=False):
    """The part of an `OrderPayload` that the record holds: its lines cost three times as much to read."""

    total: Money | None = None


def effect_of(name: str, family: str, payload: msgspec.Raw) -> Effect | None:
    """Read what an event does to the record, or nothing: then it moves only the first and last activity.

    Raises:
        UnreadablePayloadError: the payload is not what the event's name promises.
    """
    try:
        if name == ORDER_COMPLETED:
            return _order(payload)
        if family == Family.IDENTIFY:
            return _traits(payload)
        reader = _READERS.get(name)
        return None if reader is None else reader(payload)
    except UnreadableAmountError as error:
        raise UnreadablePayloadError("$.payload.total.amount", str(error)) from error
    except MalformedMessageError as error:
        text, _, path = str(error).partition(" - at `$")
        raise UnreadablePayloadError(f"$.payload{path.rstrip('`')}", text) from error


def _traits(payload: msgspec.Raw) -> TraitsSaid:
    said = tuple((name, bytes(value)) for name, value in decode(IdentifyPayload, payload).traits.items())
    for name, value in said:
        if len(name) > LONGEST_TRAIT_NAME or len(value) > LARGEST_TRAIT:
            expected = f"names of at most {LONGEST_TRAIT_NAME} characters and values of at most {LARGEST_TRAIT} bytes"
            raise UnreadablePayloadError("$.payload.traits", expected)
    return TraitsSaid(said)


def _order(payload: msgspec.Raw) -> OrderCompleted:
    total = decode(_Order, payload).total
    if total is None:
        return OrderCompleted(None, "")
    return OrderCompleted(amount_of(total.amount), total.currency)


def _consent(payload: msgspec.Raw, state: ConsentStatus) -> ConsentSaid:
    said = decode(ConsentPayload, payload)
    for part, text in (("purpose", said.purpose), ("channel", said.channel)):
        # `a/b` on `c` and `a` on `b/c` would else be one subject, and one's consent the other's.
        if not text or "/" in text:
            raise UnreadablePayloadError(f"$.payload.{part}", "a name without a slash")
    return ConsentSaid(f"{said.purpose}/{said.channel}", state)


_READERS: Mapping[str, Callable[[msgspec.Raw], Effect]] = {
    **READERS,
    UNSUBSCRIBED: lambda _payload: UNSUBSCRIBE,
    CONSENT_GIVEN: lambda payload: _consent(payload, ConsentStatus.GIVEN),
    CONSENT_WITHDRAWN: lambda payload: _consent(payload, ConsentStatus.WITHDRAWN),
}
