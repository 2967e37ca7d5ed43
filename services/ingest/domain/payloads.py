"""What an event says, by its family: checked, and written as canonical JSON."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from services.ingest.domain import money
from services.ingest.domain.decoding import decode, decode_object, decoder, encode_object
from services.ingest.domain.problems import Problem, Reason, Stage, escaped
from shared.contracts.catalogue import UNSUBSCRIBED, Family
from shared.contracts.customers import LARGEST_TRAIT, LONGEST_TRAIT_NAME, MOST_TRAITS
from shared.contracts.interactions import ConsentPayload, OrderLine, OrderPayload
from shared.contracts.money import Money

Text = str | int | None
LONGEST_ID = 255

# Segment's specification has its reserved traits in either spelling; rules and templates need one.
_RESERVED_TRAITS = {"firstName": "first_name", "lastName": "last_name", "createdAt": "created_at"}


class _Product(msgspec.Struct, gc=False):
    product_id: Text = None
    quantity: Any = None
    price: Any = None


class _Order(msgspec.Struct, gc=False):
    order_id: Text = None
    total: Any = None
    revenue: Any = None
    value: Any = None
    currency: str | None = None
    products: list[_Product] | None = None


class _Consent(msgspec.Struct, gc=False):
    purpose: str | None = None
    channel: str | None = None
    basis: str | None = None
    text_version: str | None = None


# Every number of an order goes through `money.amount`, which has bounds of its own.
_orders: msgspec.json.Decoder[_Order | None] = msgspec.json.Decoder(_Order | None, float_hook=Decimal)
_consents: msgspec.json.Decoder[_Consent | None] = decoder(_Consent | None)


def payload_of(
    family: Family, name: str, body: msgspec.Raw, path: str, added: Mapping[str, str] | None
) -> bytes | Problem:
    """Read the body of an event of this family; `path` is where it stands, `added` what the shape keeps beside it."""
    read = _READERS.get(family)
    if read is not None:
        return read(name, body, path)
    members = decode_object(body, Stage.PAYLOAD, path)
    if isinstance(members, Problem):
        return members
    return encode_object({**members, **added} if added else members, path)


def _order(_name: str, body: msgspec.Raw, path: str) -> bytes | Problem:
    order = decode(_orders, body, Stage.PAYLOAD, path)
    if isinstance(order, Problem):
        return order
    if order is None:
        order = _Order()
    total = _total(order)
    if isinstance(total, Problem):
        return total.under(path)
    lines: list[OrderLine] = []
    for index, product in enumerate(order.products or ()):
        line = _line(product)
        if isinstance(line, Problem):
            return line.under(f"{path}/products/{index}")
        lines.append(line)
    order_id = _identifier(order.order_id, "/order_id")
    if isinstance(order_id, Problem):
        return order_id.under(path)
    return encode_object(OrderPayload(order_id=order_id, total=total, lines=tuple(lines)), path)


def _total(order: _Order) -> Money | Problem | None:
    """Take Segment's total, else its revenue, else its value."""
    if order.total is not None:
        amount = money.amount(order.total, "/total")
    elif order.revenue is not None:
        amount = money.amount(order.revenue, "/revenue")
    elif order.value is not None:
        amount = money.amount(order.value, "/value")
    else:
        return None
    if isinstance(amount, Problem):
        return amount
    currency = money.currency(order.currency, "/currency")
    return currency if isinstance(currency, Problem) else Money(amount, currency)


def _line(product: _Product) -> OrderLine | Problem:
    price = _optional(product.price, "/price")
    if isinstance(price, Problem):
        return price
    quantity = _optional(product.quantity, "/quantity")
    if isinstance(quantity, Problem):
        return quantity
    product_id = _identifier(product.product_id, "/product_id")
    if isinstance(product_id, Problem):
        return product_id
    return OrderLine(product_id=product_id, quantity=quantity, price=price)


def _optional(value: Any, path: str) -> str | Problem | None:
    return None if value is None else money.amount(value, path)


def _identifier(value: Text, path: str) -> str | Problem | None:
    if value is None or value == "":
        return None
    text = str(value)
    if len(text) > LONGEST_ID:
        found = f"{len(text)} characters"
        return Problem(Stage.LIMITS, Reason.TOO_LONG, path, f"at most {LONGEST_ID} characters", found)
    return text


def _identify(_name: str, body: msgspec.Raw, path: str) -> bytes | Problem:
    traits = decode_object(body, Stage.PAYLOAD, path)
    if isinstance(traits, Problem):
        return traits
    for theirs, ours in _RESERVED_TRAITS.items():
        if theirs in traits:
            traits.setdefault(ours, traits.pop(theirs))
    return _too_much(traits, path) or encode_object({"traits": traits}, path)


def _too_much(traits: Mapping[str, Any], path: str) -> Problem | None:
    """Refuse what a customer's record has no room for."""
    if len(traits) > MOST_TRAITS:
        return Problem(Stage.LIMITS, Reason.TOO_LARGE, path, f"at most {MOST_TRAITS} traits", f"{len(traits)} traits")
    for name, value in traits.items():
        if len(name) > LONGEST_TRAIT_NAME or not name.isprintable():
            expected = f"at most {LONGEST_TRAIT_NAME} printable characters"
            return Problem(Stage.LIMITS, Reason.BAD_CHARACTER, f"{path}/{escaped(name)}", expected, "another name")
        text = encode_object(value, path)
        if isinstance(text, bytes) and len(text) > LARGEST_TRAIT:
            expected, found = f"at most {LARGEST_TRAIT} bytes", f"{len(text)} bytes"
            return Problem(Stage.LIMITS, Reason.TOO_LARGE, f"{path}/{escaped(name)}", expected, found)
    return None


def _consent(name: str, body: msgspec.Raw, path: str) -> bytes | Problem:
    consent = decode(_consents, body, Stage.PAYLOAD, path)
    if isinstance(consent, Problem):
        return consent
    if consent is None:
        consent = _Consent()
    purpose, channel = consent.purpose, consent.channel
    if name == UNSUBSCRIBED:
        # Segment's event comes from a mail's link and names neither.
        purpose, channel = purpose or "marketing", channel or "email"
    for value, member in ((purpose, "purpose"), (channel, "channel")):
        if not value:
            found = "nothing" if value is None else "an empty string"
            return Problem(Stage.PAYLOAD, Reason.MISSING, f"{path}/{member}", "a non-empty string", found)
        if len(value) > LONGEST_ID or "/" in value:
            expected = f"at most {LONGEST_ID} characters without a slash"
            return Problem(Stage.PAYLOAD, Reason.BAD_CHARACTER, f"{path}/{member}", expected, "other text")
    return encode_object(
        ConsentPayload(
            purpose=purpose or "", channel=channel or "", basis=consent.basis, text_version=consent.text_version
        ),
        path,
    )


_READERS: dict[Family, Callable[[str, msgspec.Raw, str], bytes | Problem]] = {
    Family.ORDER: _order,
    Family.IDENTIFY: _identify,
    Family.CONSENT: _consent,
}
