"""Customers by identity, and the timeline by month, which is the dedupe table too."""

from alembic import op

from shared.runtime.tables import create_runtime_tables_v1

revision = "profile_0001"
down_revision = None
branch_labels = None
depends_on = None

# One row per identity: root is null while the identity is the customer itself. A third of each page stays free, so that
# an update finds room beside the old row and touches no index (HOT).
_IDENTITIES = """
    CREATE TABLE profile.identities (
        id      uuid   NOT NULL CONSTRAINT identities_pkey PRIMARY KEY,
        root    uuid,
        kind    text   NOT NULL,
        value   text   NOT NULL,
        version bigint NOT NULL CONSTRAINT identities_version_counts_events CHECK (version > 0),
        doc     bytea  NOT NULL
    ) WITH (fillfactor = 70)
"""

# The key's first 48 bits are milliseconds since 1970, so a month is a range of keys, and its index grows at its end.
_TIMELINE = """
    CREATE TABLE profile.timeline (
        key              uuid        NOT NULL,
        customer_id      uuid        NOT NULL,
        identity_id      uuid        NOT NULL,
        payload_hash     uuid        NOT NULL,
        occurred_at      timestamptz NOT NULL,
        received_at      timestamptz NOT NULL,
        customer_version bigint      NOT NULL,
        name             text        NOT NULL,
        family           text        NOT NULL,
        source           text        NOT NULL,
        message_id       text        NOT NULL,
        payload          bytea       NOT NULL,
        context          bytea       NOT NULL,
        CONSTRAINT timeline_pkey PRIMARY KEY (key)
    ) PARTITION BY RANGE (key)
"""

_KEY_AT = """
    CREATE FUNCTION profile.timeline_key_at(at timestamp) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT
    SET search_path = pg_catalog, pg_temp AS $$
        SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
    $$
"""

# The service's role may not create tables: it may ask for months and for nothing else. ATTACH keeps others writing,
# where CREATE TABLE PARTITION OF would wait for all of them; the CHECK spares it a scan.
_MAKE_MONTHS = """
    CREATE FUNCTION profile.make_timeline_months(months date[]) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = profile, pg_temp AS $$
    DECLARE
        month date;
        partition text;
        low uuid;
        high uuid;
    BEGIN
        FOR month IN SELECT DISTINCT date_trunc('month', m)::date FROM unnest(months) AS m ORDER BY 1 LOOP
            partition := 'timeline_' || to_char(month, 'YYYY_MM');
            CONTINUE WHEN to_regclass(partition) IS NOT NULL;
            -- One maker at a time; the second one sees the first one's partition once the lock is its own.
            LOCK TABLE timeline IN SHARE UPDATE EXCLUSIVE MODE;
            CONTINUE WHEN to_regclass(partition) IS NOT NULL;
            low := timeline_key_at(month::timestamp);
            high := timeline_key_at(month::timestamp + interval '1 month');
            EXECUTE format('CREATE TABLE %I (LIKE timeline INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
            EXECUTE format('ALTER TABLE %I ADD CONSTRAINT its_month CHECK (key >= %L AND key < %L)',
                           partition, low, high);
            EXECUTE format('ALTER TABLE timeline ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           partition, low, high);
            EXECUTE format('ALTER TABLE %I DROP CONSTRAINT its_month', partition);
        END LOOP;
    END
    $$
"""


def upgrade() -> None:
    """Create the runtime's tables and ours."""
    create_runtime_tables_v1(op.execute, "profile")
    op.execute(_IDENTITIES)
    op.execute(_TIMELINE)
    op.execute(_KEY_AT)
    op.execute(_MAKE_MONTHS)


def downgrade() -> None:
    """Refuse: customers would be lost."""
    raise NotImplementedError("the first revision has nothing before it; restore a backup instead")
