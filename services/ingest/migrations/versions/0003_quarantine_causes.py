"""The quarantine by cause, with what was done about each event: mended, replayed, discarded, and by whom."""

from alembic import op

revision = "0003"
down_revision = "0002"

COLUMNS = """
    ALTER TABLE quarantine
        DROP CONSTRAINT quarantine_stage,
        ADD CONSTRAINT quarantine_stage
            CHECK (stage IN ('parse', 'envelope', 'identity', 'payload', 'limits', 'policy')),
        ADD COLUMN event          text,
        ADD COLUMN cause          text,
        ADD COLUMN state          text NOT NULL DEFAULT 'open'
            CONSTRAINT quarantine_state CHECK (state IN ('open', 'fixed', 'replaying', 'replayed', 'discarded')),
        ADD COLUMN refused_at     timestamptz,
        ADD COLUMN mended         bytea,
        ADD COLUMN mended_headers bytea,
        ADD COLUMN mended_at      timestamptz,
        ADD COLUMN ticket         uuid NOT NULL DEFAULT gen_random_uuid(),
        ADD COLUMN replay         bigint,
        ADD COLUMN sent_at        timestamptz,
        ADD COLUMN settled_at     timestamptz,
        ADD COLUMN discard_reason text
"""
# As services.ingest.domain.causes does it; a test compares the two.
CAUSES = r"""
    UPDATE quarantine SET refused_at = quarantined_at, cause = left(encode(sha256(convert_to(concat_ws(E'\x1f',
        source, stage, reason, regexp_replace(path, '/[0-9]+(?=/|$)', '/*', 'g'), expected,
        regexp_replace(found, '[0-9]+', '#', 'g'), ''), 'UTF8')), 'hex'), 12)
"""
REQUIRED = "ALTER TABLE quarantine ALTER COLUMN cause SET NOT NULL, ALTER COLUMN refused_at SET NOT NULL"
# What needs somebody's attention is little beside what was dealt with.
BY_CAUSE = """
    CREATE INDEX quarantine_by_cause ON quarantine (cause, id) WHERE state IN ('open', 'fixed', 'replaying')
"""
UNSETTLED = "CREATE INDEX quarantine_unsettled ON quarantine (id) WHERE state IN ('open', 'fixed', 'replaying')"
BY_REPLAY = "CREATE INDEX quarantine_by_replay ON quarantine (replay, state) WHERE replay IS NOT NULL"
REPLAYS = """
    CREATE TABLE replays (
        id           bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT replays_pkey PRIMARY KEY,
        requested_by text        NOT NULL,
        requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        cause        text,
        entries      bigint[],
        state        text        NOT NULL DEFAULT 'running'
            CONSTRAINT replays_state CHECK (state IN ('running', 'done', 'stopped')),
        total        bigint      NOT NULL DEFAULT 0,
        sent         bigint      NOT NULL DEFAULT 0,
        still_bad    bigint      NOT NULL DEFAULT 0,
        ended_at     timestamptz
    )
"""
AUDIT = """
    CREATE TABLE audit (
        id      bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_pkey PRIMARY KEY,
        at      timestamptz NOT NULL DEFAULT clock_timestamp(),
        actor   text        NOT NULL,
        action  text        NOT NULL,
        subject text        NOT NULL,
        entries bigint[]    NOT NULL DEFAULT '{}',
        detail  jsonb       NOT NULL DEFAULT '{}'
    )
"""
APPEND_ONLY = """
    CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'insufficient_privilege';
        END
    $$
"""
KEPT = """
    CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()
"""


def upgrade() -> None:
    """Group what is in the quarantine by cause, and make room for what is done about it."""
    for statement in (COLUMNS, CAUSES, REQUIRED, BY_CAUSE, UNSETTLED, BY_REPLAY, REPLAYS, AUDIT, APPEND_ONLY, KEPT):
        op.execute(statement)
