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
    SELECT f.first_month AS month,
        count(*) FILTER (WHERE m.identity_id IS NULL) + count(DISTINCT m.customer_id) AS customers
    FROM metrics.first_orders f LEFT JOIN metrics.memberships m ON m.identity_id = f.identity_id
    WHERE m.identity_id IS NULL OR NOT EXISTS (
        SELECT FROM metrics.memberships o JOIN metrics.first_orders e ON e.identity_id = o.identity_id
        WHERE o.customer_id = m.customer_id AND e.first_month < f.first_month
    )
    GROUP BY f.first_month
    """,
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
        WHERE c.month = (
            SELECT date_trunc('month', d.day::timestamp)::date
            FROM metrics.memberships o JOIN metrics.first_orders e ON e.identity_id = o.identity_id
                CROSS JOIN LATERAL (VALUES (e.first_day), (e.second_day)) AS d (day)
            WHERE o.customer_id = c.customer_id AND d.day IS NOT NULL ORDER BY d.day OFFSET 1 LIMIT 1
        )
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
