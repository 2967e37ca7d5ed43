"""Accounts with who was named in them; how far a rebuild and the running check are, and what a rebuild found."""

from alembic import op

revision = "profile_0005"
down_revision = "profile_0004"
branch_labels = None
depends_on = None

_ACCOUNTS = """
    CREATE TABLE profile.accounts (
        id      text   NOT NULL CONSTRAINT accounts_pkey PRIMARY KEY,
        version bigint NOT NULL CONSTRAINT accounts_version_counts_batches CHECK (version > 0),
        doc     bytea  NOT NULL
    ) WITH (fillfactor = 70)
"""

# Whoever was ever named in an account, by the identity that said so; whose account it is now, the record tells.
_ACCOUNT_IDENTITIES = """
    CREATE TABLE profile.account_identities (
        account_id  text NOT NULL,
        identity_id uuid NOT NULL,
        CONSTRAINT account_identities_pkey PRIMARY KEY (account_id, identity_id)
    )
"""

# One row for each rebuild. `last_identity` is where it goes on after a crash: what lies before it was looked at.
_REBUILDS = """
    CREATE TABLE profile.rebuilds (
        id            bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT rebuilds_pkey PRIMARY KEY,
        started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
        ended_at      timestamptz,
        phase         text        NOT NULL CONSTRAINT rebuilds_phase
            CHECK (phase IN ('comparing', 'switching', 'accounts', 'done')),
        last_identity uuid,
        identities    bigint      NOT NULL DEFAULT 0,
        events        bigint      NOT NULL DEFAULT 0,
        compared      bigint      NOT NULL DEFAULT 0,
        different     bigint      NOT NULL DEFAULT 0,
        switched      bigint      NOT NULL DEFAULT 0,
        rules         bytea       NOT NULL,
        stages        bytea       NOT NULL
    )
"""
_ONE_AT_A_TIME = "CREATE UNIQUE INDEX rebuilds_one_at_a_time ON profile.rebuilds ((true)) WHERE ended_at IS NULL"

# Customers that are not what their events say: found by comparing, gone once they are put right.
_DIFFERENCES = """
    CREATE TABLE profile.rebuild_differences (
        customer_id uuid    NOT NULL CONSTRAINT rebuild_differences_pkey PRIMARY KEY,
        path        text    NOT NULL,
        switched    boolean NOT NULL DEFAULT false
    )
"""

# The check that runs all the time goes round and round; whoever holds the row runs it.
_CHECKS = """
    CREATE TABLE profile.checks (
        only_one      boolean     NOT NULL DEFAULT true CONSTRAINT checks_only_one PRIMARY KEY CHECK (only_one),
        last_identity uuid,
        checked_at    timestamptz NOT NULL DEFAULT '-infinity'
    )
"""
_THE_CHECK = "INSERT INTO profile.checks DEFAULT VALUES"


def upgrade() -> None:
    """Add the tables; accounts fill from now on, and a rebuild fills them from what was said before."""
    for statement in (
        _ACCOUNTS,
        _ACCOUNT_IDENTITIES,
        _REBUILDS,
        _ONE_AT_A_TIME,
        _DIFFERENCES,
        _CHECKS,
        _THE_CHECK,
    ):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: accounts would be lost."""
    raise NotImplementedError("accounts have no place in the revision before; restore a backup")
