"""What people decided about who is one person, what came of it, and which regions the clock has yet to resolve."""

from alembic import op

revision = "profile_0003"
down_revision = "profile_0002"
branch_labels = None
depends_on = None

# What was asked for: never changed. `identities` are, of a merge and an unmerge, the two ends; of a split, the customer
# and then who leaves; of a block, the one. An unmerge that takes a merge back says which in `undoes`.
_DECISIONS = """
    CREATE TABLE profile.decisions (
        id         uuid        NOT NULL CONSTRAINT decisions_pkey PRIMARY KEY,
        decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        who        text        NOT NULL CONSTRAINT decisions_somebody_decides CHECK (who <> ''),
        why        text        NOT NULL,
        kind       text        NOT NULL CONSTRAINT decisions_kind
            CHECK (kind IN ('merge', 'unmerge', 'split', 'block', 'unblock')),
        identities uuid[]      NOT NULL CONSTRAINT decisions_are_about_somebody CHECK (cardinality(identities) > 0),
        undoes     uuid CONSTRAINT decisions_undoes_fkey REFERENCES profile.decisions (id),
        preview    jsonb       NOT NULL
    )
"""
_ABOUT = "CREATE INDEX decisions_identities_idx ON profile.decisions USING gin (identities)"
_WHEN = "CREATE INDEX decisions_decided_at_idx ON profile.decisions (decided_at)"

# What came of it, written once, in the transaction that moved the customers. `ruling` is what the graph took, and all
# that a rebuild needs: decisions are entries of the set of links, each with its decision's time and id.
_APPLIED = """
    CREATE TABLE profile.decisions_applied (
        decision   uuid        NOT NULL CONSTRAINT decisions_applied_pkey PRIMARY KEY
            CONSTRAINT decisions_applied_decision_fkey REFERENCES profile.decisions (id),
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        ruling     bytea       NOT NULL,
        result     jsonb       NOT NULL
    )
"""
_APPEND_ONLY = """
    CREATE FUNCTION profile.decisions_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'decisions are append-only' USING ERRCODE = 'insufficient_privilege';
        END
    $$
"""
_KEPT = """
    CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON profile.{table}
        FOR EACH STATEMENT EXECUTE FUNCTION profile.decisions_are_append_only()
"""

# A large region is not resolved by each event that upsets it, but by the clock; until then its members stay where they
# are, and this says when.
_DUE = "ALTER TABLE profile.regions ADD COLUMN untangle_due timestamptz"


def upgrade() -> None:
    """Make room for decisions; nothing that is there changes."""
    for statement in (_DECISIONS, _ABOUT, _WHEN, _APPLIED, _APPEND_ONLY, _DUE):
        op.execute(statement)
    for table in ("decisions", "decisions_applied"):
        op.execute(_KEPT.format(table=table))


def downgrade() -> None:
    """Refuse: what people decided would be lost."""
    raise NotImplementedError("decisions have no place in the revision before; restore a backup")
