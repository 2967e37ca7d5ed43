"""What is said about shopping: what somebody looked at and put into a cart, and what they ordered."""

import msgspec

from shared.contracts.interactions import OrderLine
from shared.contracts.money import Money
from shared.contracts.vocabulary import Count, Id, Text


class BrowsePayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Family `browse`: one product, or the cart's; `value`, `revenue` and `total` are of the whole."""

    query: Text | None = None
    product_id: Id | None = None
    sku: Id | None = None
    name: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    variant: Text | None = None
    coupon: Text | None = None
    price: Money | None = None
    quantity: Count | None = None
    position: Count | None = None
    cart_id: Id | None = None
    checkout_id: Id | None = None
    order_id: Id | None = None
    value: Money | None = None
    revenue: Money | None = None
    total: Money | None = None
    url: Text | None = None
    image_url: Text | None = None
    products: tuple[OrderLine, ...] = ()
    email: Text | None = None
    phone: Text | None = None
