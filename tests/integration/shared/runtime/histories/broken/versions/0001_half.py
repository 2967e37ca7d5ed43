"""Create one table, then fail."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Upgrade."""
    op.execute("CREATE TABLE half (id int)")
    op.execute("CREATE TABLE half (id int)")
