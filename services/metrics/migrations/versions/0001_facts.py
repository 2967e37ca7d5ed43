"""Facts that commute, and the KPIs as views over them."""

from alembic import op

from shared.runtime.tables import create_runtime_tables_v1

revision = "0001"
down_revision = None


def _month_of(day: str, month: str = "month") -> str:
    # The month is kept beside the day so that an index can answer for one month.
    return f"{month} date GENERATED ALWAYS AS (date_trunc('month', {day}::timestamp)::date) STORED"


FACTS = (
    f"""
    CREATE TABLE order_facts (
        customer_id uuid    NOT NULL,
        day         date    NOT NULL,
        currency    text    NOT NULL,
        orders      bigint  NOT NULL CONSTRAINT order_facts_orders CHECK (orders > 0),
        revenue     numeric NOT NULL,
        {_month_of("day")},
        CONSTRAINT order_facts_pkey PRIMARY KEY (customer_id, day, currency)
    ) WITH (fillfactor = 90)
    """,
    "CREATE INDEX order_facts_month ON order_facts (month)",
    f"""
    CREATE TABLE first_orders (
        customer_id uuid NOT NULL CONSTRAINT first_orders_pkey PRIMARY KEY,
        first_day   date NOT NULL,
        second_day  date,
        {_month_of("first_day", "first_month")},
        {_month_of("second_day", "second_month")},
        CONSTRAINT first_orders_in_order CHECK (second_day >= first_day)
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX first_orders_first_month ON first_orders (first_month)",
    "CREATE INDEX first_orders_second_month ON first_orders (second_month)",
    """
    CREATE TABLE activity_facts (
        customer_id uuid   NOT NULL,
        month       date   NOT NULL,
        events      bigint NOT NULL CONSTRAINT activity_facts_events CHECK (events > 0),
        CONSTRAINT activity_facts_pkey PRIMARY KEY (month, customer_id)
    ) WITH (fillfactor = 80)
    """,
    # By lane, so that two workers never wait for each other at the row of a popular segment.
    f"""
    CREATE TABLE segment_facts (
        lane     int    NOT NULL,
        segment  text   NOT NULL,
        day      date   NOT NULL,
        change   text   NOT NULL,
        changes  bigint NOT NULL CONSTRAINT segment_facts_changes CHECK (changes > 0),
        {_month_of("day")},
        CONSTRAINT segment_facts_pkey PRIMARY KEY (lane, segment, day, change)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE message_facts (
        message_key text   NOT NULL CONSTRAINT message_facts_pkey PRIMARY KEY,
        campaign    text   NOT NULL,
        channel     text   NOT NULL,
        state       text   NOT NULL,
        rule        text,
        day         date   NOT NULL,
        incarnation int    NOT NULL,
        sequence    bigint NOT NULL
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE customer_facts (
        customer_id uuid   NOT NULL CONSTRAINT customer_facts_pkey PRIMARY KEY,
        lifecycle   text,
        incarnation int    NOT NULL,
        version     bigint NOT NULL
    ) WITH (fillfactor = 70)
    """,
)

VIEWS = (
    # Currency code 'XXX' is ISO 4217's "no currency": orders without a total, which are orders and no revenue.
    """
    CREATE VIEW kpi_monthly_revenue AS
    SELECT month, currency, sum(revenue) AS revenue FROM order_facts WHERE currency <> 'XXX' GROUP BY month, currency
    """,
    """
    CREATE VIEW kpi_monthly_orders AS
    SELECT month, sum(orders)::bigint AS orders FROM order_facts GROUP BY month
    """,
    """
    CREATE VIEW kpi_active_customers AS
    SELECT month, count(DISTINCT customer_id) AS customers FROM order_facts GROUP BY month
    """,
    """
    CREATE VIEW kpi_new_customers AS
    SELECT first_month AS month, count(*) AS customers FROM first_orders GROUP BY first_month
    """,
    """
    CREATE VIEW kpi_repeat_customers AS
    SELECT second_month AS month, count(*) AS customers
    FROM first_orders WHERE second_month IS NOT NULL GROUP BY second_month
    """,
    """
    CREATE VIEW kpi_average_order_value AS
    SELECT month, currency, round(sum(revenue) / sum(orders), 4) AS average
    FROM order_facts WHERE currency <> 'XXX' GROUP BY month, currency
    """,
    """
    CREATE VIEW kpi_engaged_customers AS
    SELECT month, count(*) AS customers FROM activity_facts GROUP BY month
    """,
    """
    CREATE VIEW kpi_segment_flow AS
    SELECT month, segment, change, sum(changes)::bigint AS changes FROM segment_facts GROUP BY month, segment, change
    """,
    """
    CREATE VIEW kpi_mails_by_state AS
    SELECT campaign, state, count(*) AS mails FROM message_facts WHERE channel = 'email' GROUP BY campaign, state
    """,
    """
    CREATE VIEW kpi_mails_left_out AS
    SELECT campaign, coalesce(rule, 'unnamed') AS rule, count(*) AS mails
    FROM message_facts WHERE channel = 'email' AND state = 'skipped' GROUP BY campaign, coalesce(rule, 'unnamed')
    """,
    """
    CREATE VIEW kpi_customers_by_lifecycle AS
    SELECT lifecycle, count(*) AS customers FROM customer_facts WHERE lifecycle IS NOT NULL GROUP BY lifecycle
    """,
)


def upgrade() -> None:
    """Create the runtime's tables, the facts and the views."""
    create_runtime_tables_v1(op.execute, "metrics")
    for statement in (*FACTS, *VIEWS):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: facts are rebuilt by reading the topics again.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("drop the schema and migrate again: the facts are rebuilt from the topics")
