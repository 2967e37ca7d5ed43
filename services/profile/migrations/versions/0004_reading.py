"""Reading customers: their timeline in order, search by what people know of them, and who read about whom."""

from alembic import op

revision = "profile_0004"
down_revision = "profile_0003"
branch_labels = None
depends_on = None

# By identity, as a merge moves identities and no rows. A month that is attached later gets it by itself.
_TIMELINE = "CREATE INDEX timeline_identity_idx ON profile.timeline (identity_id, occurred_at, key)"

# Words that an identity is found by, in the "C" order, so that a prefix is a range of the index.
_TERMS = """
    CREATE TABLE profile.search_terms (
        term        text COLLATE "C" NOT NULL,
        identity_id uuid NOT NULL,
        CONSTRAINT search_terms_pkey PRIMARY KEY (term, identity_id)
    )
"""
_TERMS_OF = "CREATE INDEX search_terms_identity_id_idx ON profile.search_terms (identity_id)"

# Identities whose terms have to be drawn anew. Nothing is unique here: whoever folds events only appends, and waits for
# nobody who takes rows out.
_DUE = """
    CREATE TABLE profile.search_due (
        id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT search_due_pkey PRIMARY KEY,
        identity_id uuid NOT NULL
    )
"""
_ALL_ARE_DUE = "INSERT INTO profile.search_due (identity_id) SELECT id FROM profile.identities"

# Who read about whom over HTTP.
_READS = """
    CREATE TABLE profile.reads (
        id        bigint      GENERATED ALWAYS AS IDENTITY CONSTRAINT reads_pkey PRIMARY KEY,
        read_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
        who       text        NOT NULL CONSTRAINT reads_somebody_reads CHECK (who <> ''),
        what      text        NOT NULL,
        customers uuid[]      NOT NULL
    )
"""

# A trusted extension: whoever may create schemas here may create it, where its files are installed. Another's may be
# in another schema, so what uses it names that one.
EXTENSION = """
    DO $$
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = '{name}') THEN
            IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = '{name}') THEN
                RAISE EXCEPTION 'search needs the extension {name}, which this PostgreSQL does not have: '
                    'install its package of additional modules (postgresql-contrib) and run `rapport migrate` again';
            END IF;
            CREATE EXTENSION {name} SCHEMA profile;
        END IF;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'search needs the extension {name}, which this role may not create: let a role that may run '
            '`CREATE EXTENSION {name}` in this database, and run `rapport migrate` again';
    END
    $$
"""
# Where nearly all are similar, as ids that count up are, it does not matter much which: some are looked at.
_SIMILAR = """
    DO $$
    DECLARE
        home name := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                      WHERE e.extname = 'pg_trgm');
    BEGIN
        EXECUTE format('CREATE INDEX search_terms_term_idx ON profile.search_terms USING gin (term %I.gin_trgm_ops)',
                       home);
        -- Loads the library: only then may its setting be given to a function.
        EXECUTE format('SELECT %I.show_limit()', home);
        EXECUTE format('
            CREATE FUNCTION profile.similar_terms(wanted text, most int)
            RETURNS TABLE (term text, identity_id uuid, likeness real) LANGUAGE sql STABLE ROWS 100
            SET search_path = profile, %1$I, pg_temp SET pg_trgm.word_similarity_threshold = 0.55 AS $f$
                SELECT t.term, t.identity_id, word_similarity(wanted, t.term)
                FROM (SELECT * FROM search_terms WHERE wanted <%% term LIMIT 10000) AS t
                ORDER BY 3 DESC, 1, 2 LIMIT most
            $f$', home);
    END
    $$
"""


def upgrade() -> None:
    """Add what reading needs; whoever is there already becomes findable as the terms are drawn."""
    op.execute(EXTENSION.format(name="pg_trgm"))
    for statement in (_TIMELINE, _TERMS, _TERMS_OF, _SIMILAR, _DUE, _ALL_ARE_DUE, _READS):
        op.execute(statement)


def downgrade() -> None:
    """Refuse: who read about whom would be lost."""
    raise NotImplementedError("the log of reads has no place in the revision before; restore a backup")
