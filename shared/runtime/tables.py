"""The runtime's own tables, the same in each service's schema; a migration calls `create_runtime_tables_v1`."""

from collections.abc import Callable

RUNTIME_TABLES_V1: tuple[str, ...] = (
    """
    CREATE TABLE {schema}.incarnation (
        only_one boolean NOT NULL DEFAULT true CONSTRAINT incarnation_only_one PRIMARY KEY CHECK (only_one),
        value    int     NOT NULL
    )
    """,
    "INSERT INTO {schema}.incarnation (value) VALUES (1)",
    """
    CREATE TABLE {schema}.lanes (
        input_group text   NOT NULL,
        lane        int    NOT NULL,
        epoch       bigint NOT NULL,
        owner       text   NOT NULL,
        CONSTRAINT lanes_pkey PRIMARY KEY (input_group, lane)
    )
    """,
    """
    CREATE TABLE {schema}.positions (
        input_group   text   NOT NULL,
        lane          int    NOT NULL,
        topic         text   NOT NULL,
        topic_id      uuid   NOT NULL,
        next_offset   bigint NOT NULL,
        incarnation   int    NOT NULL DEFAULT 0,
        last_sequence bigint NOT NULL DEFAULT -1,
        records_read  bigint NOT NULL DEFAULT 0,
        events_read   bigint NOT NULL DEFAULT 0,
        applied       bigint NOT NULL DEFAULT 0,
        duplicate     bigint NOT NULL DEFAULT 0,
        conflict      bigint NOT NULL DEFAULT 0,
        dead          bigint NOT NULL DEFAULT 0,
        erased        bigint NOT NULL DEFAULT 0,
        CONSTRAINT positions_account_for_every_event
            CHECK (events_read = applied + duplicate + conflict + dead + erased),
        CONSTRAINT positions_pkey PRIMARY KEY (input_group, lane, topic)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE {schema}.streams (
        topic               text   NOT NULL,
        lane                int    NOT NULL,
        next_sequence       bigint NOT NULL DEFAULT 0,
        published_sequence  bigint NOT NULL DEFAULT 0,
        acknowledged_offset bigint,
        CONSTRAINT streams_pkey PRIMARY KEY (topic, lane)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE {schema}.publications (
        topic          text    NOT NULL,
        lane           int     NOT NULL,
        first_sequence bigint  NOT NULL,
        keys           bytea[] NOT NULL,
        committed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT publications_pkey PRIMARY KEY (topic, lane, first_sequence)
    )
    """,
    """
    CREATE TABLE {schema}.due (
        lane int         NOT NULL,
        key  text        NOT NULL,
        at   timestamptz NOT NULL,
        CONSTRAINT due_pkey PRIMARY KEY (lane, key)
    )
    """,
    "CREATE INDEX due_at ON {schema}.due (lane, at)",
    """
    CREATE TABLE {schema}.dead_letters (
        id            bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT dead_letters_pkey PRIMARY KEY,
        input_group   text        NOT NULL,
        topic         text        NOT NULL,
        lane          int         NOT NULL,
        record_offset bigint      NOT NULL,
        event_index   int         NOT NULL,
        kind          text        NOT NULL CONSTRAINT dead_letters_kind CHECK (kind IN ('dead', 'conflict')),
        reason        text        NOT NULL,
        path          text        NOT NULL,
        expected      text        NOT NULL,
        found         text        NOT NULL,
        key           bytea,
        value         bytea,
        headers       bytea       NOT NULL,
        record_at     timestamptz NOT NULL,
        dead_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT dead_letters_once UNIQUE (input_group, topic, lane, record_offset, event_index, record_at)
    )
    """,
)
"""`lanes` fences owners, `positions` says how far each input was read and what became of each event, `streams` hands
out sequences (both sequence columns name the next one to take or to publish), `publications` is what is committed and
not yet acknowledged, `due` is the clock's input, `dead_letters` keeps what could not be applied."""


def create_runtime_tables_v1(execute: Callable[[str], object], schema: str) -> None:
    """Create the runtime's tables in a service's schema; `execute` runs one statement (alembic's `op.execute`)."""
    for statement in RUNTIME_TABLES_V1:
        execute(statement.format(schema=schema))
