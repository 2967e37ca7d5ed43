"""Who is one person: links between identities, customers of several identities, and regions where limits were hit."""

from alembic import op

revision = "profile_0002"
down_revision = "profile_0001"
branch_labels = None
depends_on = None

# An identity without `root` is its own customer, as all were before. One that no other was ever named with has no
# `standing` either: the hot path neither reads nor writes more than it did. One that only others' events name has no
# `doc`. The index is partial, so that an update that leaves `root` alone still touches none (HOT).
_IDENTITIES = """
    ALTER TABLE profile.identities
        ALTER COLUMN doc DROP NOT NULL,
        ADD COLUMN membership int NOT NULL DEFAULT 1 CONSTRAINT identities_membership_counts_customers
            CHECK (membership > 0),
        ADD COLUMN standing bytea
"""
_MEMBERS = "CREATE INDEX identities_root_idx ON profile.identities (root) WHERE root IS NOT NULL"

# A customer of two identities and more, or in a contested region: its version is the record's.
_CUSTOMERS = """
    CREATE TABLE profile.customers (
        root    uuid   NOT NULL CONSTRAINT customers_pkey PRIMARY KEY,
        version bigint NOT NULL CONSTRAINT customers_version_counts_events CHECK (version > 0),
        region  uuid,
        summary bytea  NOT NULL,
        joined  bytea  NOT NULL
    ) WITH (fillfactor = 70)
"""
_IN_REGION = "CREATE INDEX customers_region_idx ON profile.customers (region) WHERE region IS NOT NULL"

# Only where limits were hit; whoever changes what links hold there moves its version.
_REGIONS = """
    CREATE TABLE profile.regions (
        id      uuid   NOT NULL CONSTRAINT regions_pkey PRIMARY KEY,
        version bigint NOT NULL,
        summary bytea  NOT NULL
    )
"""
_LINKS = """
    CREATE TABLE profile.links (
        a          uuid NOT NULL,
        b          uuid NOT NULL,
        cause      text NOT NULL,
        first_at   timestamptz,
        message_id text,
        source     text,
        word       bytea,
        CONSTRAINT links_pkey PRIMARY KEY (a, b),
        CONSTRAINT links_go_from_the_lesser_end CHECK (a < b)
    )
"""
_BACKWARDS = "CREATE INDEX links_b_idx ON profile.links (b)"

# What else an event named is what a rebuild links by: 16 bytes each, nothing for most.
_TIMELINE = """
    ALTER TABLE profile.timeline
        ADD COLUMN membership_version int NOT NULL DEFAULT 1,
        ADD COLUMN others bytea
"""


def upgrade() -> None:
    """Add the graph; who was a customer before stays one."""
    for statement in (_IDENTITIES, _MEMBERS, _CUSTOMERS, _IN_REGION, _REGIONS, _LINKS, _BACKWARDS, _TIMELINE):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: who was merged would be lost."""
    raise NotImplementedError("customers of several identities have no place in the revision before; restore a backup")
