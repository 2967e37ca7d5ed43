"""Whose identity an id is, so that all that belong to a customer are found when one of them leaves it."""

from alembic import op

revision = "0002"
down_revision = "0001"

# Null for most, and in no index then; it changes only when an identity moves, so an event's update stays HOT.
_MEMBER_OF = "ALTER TABLE customers ADD COLUMN member_of uuid"
_FAMILIES = "CREATE INDEX customers_member_of ON customers (member_of) WHERE member_of IS NOT NULL"


def upgrade() -> None:
    """Add the column and its index."""
    op.execute(_MEMBER_OF)
    op.execute(_FAMILIES)
