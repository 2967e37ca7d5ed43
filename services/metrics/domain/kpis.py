"""The catalogue of KPIs: each a question over the facts, with its meaning, columns and unit in one typed place.

Customers are counted as they are now: a merge makes two one in the months before it as well, and its undoing makes them
two again. The answer to the question `x` is the view `kpi_x`; a KPI by month has the column `month`, and its last
column is what is measured. Money is never added up across currencies: a KPI in money has the column `currency`.
"""

from dataclasses import dataclass
from enum import StrEnum

MONTH = "month"


class Unit(StrEnum):
    """What the last column counts."""

    CUSTOMERS = "customers"
    ORDERS = "orders"
    MESSAGES = "messages"
    CHANGES = "changes"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Kpi:
    """One KPI. `labels` are its dimensions beside the month: few values, named by people or by a standard."""

    name: str
    help: str
    labels: tuple[str, ...]
    value: str
    unit: Unit
    by_month: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the answer, what is measured last."""
        return (*((MONTH,) if self.by_month else ()), *self.labels, self.value)

    @property
    def view(self) -> str:
        """Return the name of the view that answers it."""
        return f"kpi_{self.name}"


KPIS: tuple[Kpi, ...] = (
    Kpi(
        "monthly_revenue",
        "What the orders of a month came to, by currency.",
        ("currency",),
        "revenue",
        Unit.MONEY,
    ),
    Kpi("monthly_orders", "Orders completed in a month, with or without a total.", (), "orders", Unit.ORDERS),
    Kpi("active_customers", "Customers with at least one order in a month.", (), "customers", Unit.CUSTOMERS),
    Kpi("new_customers", "Customers whose first order was in a month.", (), "customers", Unit.CUSTOMERS),
    Kpi(
        "repeat_customers",
        "Customers whose second order was in a month: the month in which they became repeat customers.",
        (),
        "customers",
        Unit.CUSTOMERS,
    ),
    Kpi(
        "average_order_value",
        "Revenue of a month divided by its orders that had a total, by currency, rounded to 4 decimals.",
        ("currency",),
        "average",
        Unit.MONEY,
    ),
    Kpi(
        "engaged_customers",
        "Customers of whom anything was heard in a month, orders or not.",
        (),
        "customers",
        Unit.CUSTOMERS,
    ),
    Kpi(
        "segment_flow",
        "Entries into and exits from each segment in a month, without those that only a merge or its undoing made.",
        ("segment", "change"),
        "changes",
        Unit.CHANGES,
    ),
    Kpi(
        "mails_by_state",
        "Mails of each campaign by the state that they are in now.",
        ("campaign", "state"),
        "mails",
        Unit.MESSAGES,
        by_month=False,
    ),
    Kpi(
        "mails_left_out",
        "Mails of each campaign that were decided against, by the rule that said no.",
        ("campaign", "rule"),
        "mails",
        Unit.MESSAGES,
        by_month=False,
    ),
    Kpi(
        "customers_by_lifecycle",
        "Customers by how far the relationship has come: visitor, lead, qualified, opportunity, customer.",
        ("lifecycle",),
        "customers",
        Unit.CUSTOMERS,
        by_month=False,
    ),
)
"""Every KPI there is, in the order in which people ask."""


def kpi(name: str) -> Kpi | None:
    """Return the KPI of that name, or nothing."""
    return next((candidate for candidate in KPIS if candidate.name == name), None)
