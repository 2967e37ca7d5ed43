"""Definitions with their versions, customers as rules see them, memberships and their history."""

from alembic import op

from shared.runtime.tables import create_runtime_tables_v1

revision = "0001"
down_revision = None

TABLES = (
    # A removed definition is a version without content, so that its members leave under a version of their own.
    """
    CREATE TABLE definitions (
        segment       text        NOT NULL,
        version       int         NOT NULL,
        revision      int         NOT NULL,
        content_hash  bytea,
        source        text,
        registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT definitions_pkey PRIMARY KEY (segment, version),
        CONSTRAINT definitions_retired CHECK ((content_hash IS NULL) = (source IS NULL))
    )
    """,
    # The index is for the sweep after a new definition; nothing in it changes with an event, so updates stay HOT.
    """
    CREATE TABLE customers (
        customer_id uuid   NOT NULL CONSTRAINT customers_pkey PRIMARY KEY,
        lane        int    NOT NULL,
        revision    int    NOT NULL,
        version     bigint NOT NULL,
        doc         bytea  NOT NULL
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX customers_to_sweep ON customers (lane, revision, customer_id)",
    """
    CREATE TABLE memberships (
        customer_id        uuid        NOT NULL,
        segment            text        NOT NULL,
        inside             boolean     NOT NULL,
        since              timestamptz NOT NULL,
        sequence           bigint      NOT NULL,
        definition_version int         NOT NULL,
        CONSTRAINT memberships_pkey PRIMARY KEY (customer_id, segment)
    ) WITH (fillfactor = 80)
    """,
    "CREATE INDEX memberships_inside ON memberships (segment, customer_id) WHERE inside",
    # json, not jsonb: what was published is rendered from here again, and must not differ in a byte.
    """
    CREATE TABLE history (
        customer_id        uuid        NOT NULL,
        segment            text        NOT NULL,
        sequence           bigint      NOT NULL,
        change             text        NOT NULL CONSTRAINT history_change CHECK (change IN ('entered', 'exited')),
        definition_version int         NOT NULL,
        effective_at       timestamptz NOT NULL,
        computed_at        timestamptz NOT NULL,
        cause              json        NOT NULL,
        reason             json        NOT NULL,
        customer_version   bigint      NOT NULL,
        accepted_at        text,
        CONSTRAINT history_pkey PRIMARY KEY (customer_id, segment, sequence)
    )
    """,
)


def upgrade() -> None:
    """Create the tables."""
    create_runtime_tables_v1(op.execute, "segmenter")
    for statement in TABLES:
        op.execute(statement)
