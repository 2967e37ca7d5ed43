"""Where customers went, whose each identity is, why a parked trigger fired, and messages by customer."""

from alembic import op

revision = "engagement_0002"
down_revision = "engagement_0001"
branch_labels = None
depends_on = None

# Without `record`, `redirect_to` tells a customer who went elsewhere from one who is gone.
_CUSTOMERS = """
    ALTER TABLE engagement.customers
        ADD COLUMN redirect_to text COLLATE "C",
        ADD CONSTRAINT customers_are_here_or_elsewhere CHECK (record IS NULL OR redirect_to IS NULL)
"""

# A row only for identities that had another customer before: of all others the id is the customer's.
_MEMBERSHIPS = """
    CREATE TABLE engagement.memberships (
        identity_id text COLLATE "C" NOT NULL CONSTRAINT memberships_pkey PRIMARY KEY,
        customer_id text COLLATE "C" NOT NULL,
        number      int              NOT NULL CONSTRAINT memberships_count_customers CHECK (number > 0)
    ) WITH (fillfactor = 80)
"""
_TRIGGERS = "ALTER TABLE engagement.triggers ADD COLUMN occasion text NOT NULL DEFAULT 'change'"


def upgrade() -> None:
    """Add what a merge moves; customers, triggers and messages that there are stay as they are."""
    op.execute(_CUSTOMERS)
    op.execute(_MEMBERSHIPS)
    op.execute("CREATE INDEX memberships_by_customer ON engagement.memberships (customer_id)")
    op.execute(_TRIGGERS)
    op.execute("CREATE INDEX messages_by_customer ON engagement.messages (customer_id, campaign)")


def downgrade() -> None:
    """Refuse: who was merged would be written to twice.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("who was merged has no place in the revision before; restore a backup")
