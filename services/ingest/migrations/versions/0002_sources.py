"""Sources and their keys, and how many of each source's events were refused within the last minute."""

from alembic import op

revision = "0002"
down_revision = "0001"

SOURCES = """
    CREATE TABLE sources (
        name          text        CONSTRAINT sources_pkey PRIMARY KEY,
        kind          text        NOT NULL,
        strictness    text        NOT NULL CONSTRAINT sources_strictness CHECK (strictness IN ('open', 'strict')),
        region        text,
        zone          text,
        rate          int         CONSTRAINT sources_rate CHECK (rate > 0),
        burst         int         CONSTRAINT sources_burst CHECK (burst IS NULL OR burst > 0 AND rate IS NOT NULL),
        paused_at     timestamptz,
        paused_reason text        CONSTRAINT sources_paused_reason CHECK (paused_reason IN ('operator', 'fuse')),
        created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT sources_paused_for_a_reason CHECK ((paused_at IS NULL) = (paused_reason IS NULL))
    )
"""
KEYS = """
    CREATE TABLE source_keys (
        id           text        CONSTRAINT source_keys_pkey PRIMARY KEY,
        source       text        NOT NULL CONSTRAINT source_keys_source REFERENCES sources (name),
        hash         bytea       NOT NULL CONSTRAINT source_keys_hash CHECK (octet_length(hash) = 32),
        created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
        ends_at      timestamptz,
        revoked_at   timestamptz,
        last_used_at timestamptz
    )
"""
COUNTS = """
    CREATE TABLE source_counts (
        source  text     NOT NULL,
        lane    int      NOT NULL,
        place   smallint NOT NULL,
        period  bigint   NOT NULL,
        events  bigint   NOT NULL,
        refused bigint   NOT NULL,
        CONSTRAINT source_counts_pkey PRIMARY KEY (source, lane, place)
    ) WITH (fillfactor = 50)
"""
# A ring: `period` counts stretches of ten seconds since 1970, `place` is where such a stretch is kept until another one
# takes its place. Nothing grows, and nothing needs to be deleted. One row is written by one worker only, for a lane has
# one owner: sources that send on all lanes make no worker wait for another.


def upgrade() -> None:
    """Create the tables of sources."""
    op.execute(SOURCES)
    op.execute(KEYS)
    op.execute("CREATE INDEX source_keys_by_source ON source_keys (source)")
    op.execute(COUNTS)
