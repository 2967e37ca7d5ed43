"""Create the runtime's tables, contacts, parked triggers, the message ledger and what was announced of it."""

from alembic import op

from shared.runtime.tables import create_runtime_tables_v1

revision = "engagement_0001"
down_revision = None
branch_labels = None
depends_on = None

# The record as profile published it; null once the customer is gone. The only place here that holds an address.
_CUSTOMERS = """
    CREATE TABLE engagement.customers (
        customer_id text COLLATE "C" NOT NULL CONSTRAINT customers_pkey PRIMARY KEY,
        incarnation int              NOT NULL,
        version     bigint           NOT NULL,
        record      bytea
    ) WITH (fillfactor = 70)
"""

# Triggers that fired before their customer was known at the version that made them fire.
_TRIGGERS = """
    CREATE TABLE engagement.triggers (
        occurrence       text COLLATE "C" NOT NULL,
        campaign         text             NOT NULL,
        customer_id      text COLLATE "C" NOT NULL,
        customer_version bigint           NOT NULL,
        lane             int              NOT NULL,
        caused_at        timestamptz,
        parked_at        timestamptz      NOT NULL,
        CONSTRAINT triggers_pkey PRIMARY KEY (occurrence, campaign)
    )
"""

_MESSAGES = """
    CREATE TABLE engagement.messages (
        key          text COLLATE "C" NOT NULL CONSTRAINT messages_pkey PRIMARY KEY,
        lane         int              NOT NULL,
        campaign     text             NOT NULL,
        step         text             NOT NULL,
        channel      text             NOT NULL,
        customer_id  text COLLATE "C" NOT NULL,
        occurrence   text COLLATE "C" NOT NULL,
        address_hash text COLLATE "C",
        caused_at    timestamptz,
        state        text             NOT NULL CONSTRAINT messages_state CHECK (state IN (
            'planned', 'claimed', 'sending', 'accepted', 'failed', 'retry_wait', 'unknown', 'skipped')),
        rule         text,
        detail       text,
        attempt      int              NOT NULL,
        revision     int              NOT NULL,
        planned_at   timestamptz      NOT NULL,
        changed_at   timestamptz      NOT NULL,
        due_at       timestamptz      NOT NULL,
        provider_id  text,
        reply        text,
        CONSTRAINT messages_once_an_occurrence UNIQUE (occurrence, campaign, step, channel),
        CONSTRAINT messages_skipped_say_why CHECK (state <> 'skipped' OR rule IS NOT NULL)
    ) WITH (fillfactor = 70)
"""

# What was said on crm.outreach.v1, so that a crash before the acknowledgement says the very same again.
_ANNOUNCEMENTS = """
    CREATE TABLE engagement.announcements (
        id          text COLLATE "C" NOT NULL CONSTRAINT announcements_pkey PRIMARY KEY,
        lane        int              NOT NULL,
        customer_id text             NOT NULL,
        type        text             NOT NULL,
        at          timestamptz      NOT NULL,
        caused_at   timestamptz,
        value       bytea            NOT NULL
    )
"""


def upgrade() -> None:
    """Create everything of the first version."""
    create_runtime_tables_v1(op.execute, "engagement")
    op.execute(_CUSTOMERS)
    op.execute(_TRIGGERS)
    op.execute("CREATE INDEX triggers_by_customer ON engagement.triggers (customer_id)")
    op.execute(_MESSAGES)
    op.execute(
        "CREATE INDEX messages_to_send ON engagement.messages (lane, due_at) WHERE state IN ('planned', 'retry_wait')"
    )
    op.execute("CREATE INDEX messages_being_sent ON engagement.messages (lane) WHERE state = 'sending'")
    op.execute(_ANNOUNCEMENTS)
