"""Create the runtime's tables and the two of the counting service."""

from alembic import op

from shared.runtime.tables import create_runtime_tables_v1

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_runtime_tables_v1(op.execute, "counting")
    op.execute("CREATE TABLE counting.counts (who text PRIMARY KEY, lane int NOT NULL, version bigint NOT NULL)")
    op.execute("CREATE TABLE counting.clicks (id text PRIMARY KEY, who text NOT NULL, version bigint NOT NULL)")
    # Invariant I4: positions never go back.
    op.execute("""
        CREATE FUNCTION counting.refuse_going_back() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.next_offset < OLD.next_offset THEN RAISE EXCEPTION 'position went back'; END IF;
            RETURN NEW;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER positions_never_go_back BEFORE UPDATE ON counting.positions
        FOR EACH ROW EXECUTE FUNCTION counting.refuse_going_back()
    """)
