"""Create the runtime's tables in whatever schema this history is migrated for."""

from alembic import op

from shared.runtime.tables import create_runtime_tables_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Upgrade."""
    create_runtime_tables_v1(op.execute, str(op.get_context().version_table_schema))
