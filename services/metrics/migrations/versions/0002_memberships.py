"""Facts by identity, and whose each identity is: KPIs by customer join the two when they are read."""

from alembic import op

revision = "0002"
down_revision = "0001"

# Until now an event's customer was its strongest identity, under the same id.
_BY_IDENTITY = tuple(
    f"ALTER TABLE metrics.{table} RENAME COLUMN customer_id TO identity_id"
    for table in ("order_facts", "first_orders", "activity_facts")
)

# An identity without a row is a customer of its own. A customer of several identities has a row as well, number 0 if
# nothing was told of itself, so that all its identities are found by `customer_id`.
_MEMBERSHIPS = (
    """
    CREATE TABLE metrics.memberships (
        identity_id uuid NOT NULL CONSTRAINT memberships_pkey PRIMARY KEY,
        customer_id uuid NOT NULL,
        number      int  NOT NULL CONSTRAINT memberships_number CHECK (number >= 0)
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX memberships_customer ON metrics.memberships (customer_id)",
)

# Who has no membership is counted by the index of the month alone, as before. Of the others those are looked at who
# have anything in that month, each with all their identities.
_VIEWS = (
    """
    CREATE OR REPLACE VIEW metrics.kpi_active_customers AS
    SELECT f.month, count(DISTINCT coalesce(m.customer_id, f.identity_id)) AS customers
    FROM metrics.order_facts f LEFT JOIN metrics.memberships m ON m.identity_id = f.identity_id
    GROUP BY f.month
    """,
    """
    CREATE OR REPLACE VIEW metrics.kpi_new_customers AS
    SELECT month, count(*) AS customers
    FROM (
        SELECT f.first_month AS month FROM metrics.first_orders f
        WHERE NOT EXISTS (SELECT FROM metrics.memberships m WHERE m.identity_id = f.identity_id)
        UNION ALL
        SELECT c.month
        FROM (
            SELECT DISTINCT m.customer_id, f.first_month AS month
            FROM metrics.first_orders f JOIN metrics.memberships m ON m.identity_id = f.identity_id
        ) c
        WHERE NOT EXISTS (
            SELECT FROM metrics.memberships o JOIN metrics.first_orders e ON e.identity_id = o.identity_id
            WHERE o.customer_id = c.customer_id AND e.first_month < c.month
        )
    ) n
    GROUP BY month
    """,
    # A customer's second order was in a month if two of the first days of their identities had come by its end, and
    # at most one before it.
    """
    CREATE OR REPLACE VIEW metrics.kpi_repeat_customers AS
    SELECT month, count(*) AS customers
    FROM (
        SELECT f.second_month AS month FROM metrics.first_orders f
        WHERE f.second_month IS NOT NULL
            AND NOT EXISTS (SELECT FROM metrics.memberships m WHERE m.identity_id = f.identity_id)
        UNION ALL
        SELECT c.month
        FROM (
            SELECT DISTINCT m.customer_id, x.month
            FROM (
                SELECT identity_id, first_month AS month FROM metrics.first_orders
                UNION ALL
                SELECT identity_id, second_month FROM metrics.first_orders WHERE second_month IS NOT NULL
            ) x JOIN metrics.memberships m ON m.identity_id = x.identity_id
        ) c
            JOIN metrics.memberships o ON o.customer_id = c.customer_id
            JOIN metrics.first_orders e ON e.identity_id = o.identity_id
        GROUP BY c.customer_id, c.month
        HAVING count(*) FILTER (WHERE e.first_month <= c.month) + count(*) FILTER (WHERE e.second_month <= c.month) >= 2
            AND count(*) FILTER (WHERE e.first_month < c.month) + count(*) FILTER (WHERE e.second_month < c.month) < 2
    ) r
    GROUP BY month
    """,
    """
    CREATE OR REPLACE VIEW metrics.kpi_engaged_customers AS
    SELECT f.month, count(*) FILTER (WHERE m.identity_id IS NULL) + count(DISTINCT m.customer_id) AS customers
    FROM metrics.activity_facts f LEFT JOIN metrics.memberships m ON m.identity_id = f.identity_id
    GROUP BY f.month
    """,
)


def upgrade() -> None:
    """Keep what there is as facts of the identity of that id, and read KPIs through memberships."""
    for statement in (*_BY_IDENTITY, *_MEMBERSHIPS, *_VIEWS):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: facts are rebuilt by reading the topics again.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("drop the schema and migrate again: the facts are rebuilt from the topics")
