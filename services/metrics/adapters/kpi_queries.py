"""The question that is put to a KPI's view."""

from datetime import date

from psycopg import sql

from services.metrics.domain.kpis import MONTH, Kpi


def question(kpi: Kpi, first: date | None = None, last: date | None = None) -> tuple[sql.Composed, tuple[date, ...]]:
    """Write the query for a KPI's rows, oldest month first, and its parameters.

    `first` and `last` bound the months, both included; they are for KPIs by month only.
    """
    columns = [sql.Identifier(column) for column in kpi.columns]
    bounds = [(">=", first), ("<=", last)]
    conditions = [
        sql.SQL("{} {} %s").format(sql.Identifier(MONTH), sql.SQL(sign)) for sign, bound in bounds if bound is not None
    ]
    query = sql.SQL("SELECT {columns} FROM {view}{where}{order}").format(
        columns=sql.SQL(", ").join(columns),
        view=sql.Identifier(kpi.view),
        where=sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL(""),
        order=sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(columns[:-1])) if columns[:-1] else sql.SQL(""),
    )
    return query, tuple(bound for _, bound in bounds if bound is not None)
