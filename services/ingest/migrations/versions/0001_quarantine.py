"""The quarantine: every event that was refused, with what is needed to mend it and read it again."""

from alembic import op

from shared.runtime.tables import create_runtime_tables_v1

revision = "0001"
down_revision = None

QUARANTINE = """
    CREATE TABLE quarantine (
        id             bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT quarantine_pkey PRIMARY KEY,
        topic          text        NOT NULL,
        lane           int         NOT NULL,
        record_offset  bigint      NOT NULL,
        event_index    int         NOT NULL,
        appended_at    timestamptz NOT NULL,
        source         text        NOT NULL,
        message_id     text,
        stage          text        NOT NULL
            CONSTRAINT quarantine_stage CHECK (stage IN ('parse', 'envelope', 'identity', 'payload', 'limits')),
        reason         text        NOT NULL,
        path           text        NOT NULL,
        expected       text        NOT NULL,
        found          text        NOT NULL,
        original       bytea,
        around         bytea,
        key            bytea,
        headers        bytea       NOT NULL,
        received_at    timestamptz NOT NULL,
        quarantined_at timestamptz NOT NULL,
        CONSTRAINT quarantine_once UNIQUE (topic, lane, record_offset, event_index, appended_at)
    )
"""
# When the record was appended tells a topic that was created again from the one before: a redo adds nothing, a new
# topic's record at an old offset is not lost.


def upgrade() -> None:
    """Create ingest's schema."""
    create_runtime_tables_v1(op.execute, "ingest")
    op.execute(QUARANTINE)
    op.execute("CREATE INDEX quarantine_reason ON quarantine (reason, id)")
