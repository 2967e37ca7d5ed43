"""What stands at the end of a run: every table of four services and every state topic, as canonical JSON."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from shared.contracts.envelope import version_of
from shared.contracts.topics import REGISTRY, Kind
from shared.runtime.tables import RUNTIME_TABLES_V1
from tests.e2e.rapport import Rapport

SCHEMAS = ("profile", "segmenter", "engagement", "metrics")
DERIVED = "an id of its first place"
"""Stands for the id of an event that came without one: that is made of the record's offset and time in its topic."""

_READ_ORDER = "counts events in the order in which they were read"
_CLOCK = "when we did it"
_WRITES = "counts writes, and a batch is one, however many events it has"
LEFT_OUT: Mapping[str, Mapping[str, str]] = {
    "profile.timeline": {"customer_version": _READ_ORDER},
    "segmenter.customers": {"version": _WRITES},
    "segmenter.definitions": {"registered_at": _CLOCK},
    "segmenter.history": {"customer_version": _READ_ORDER, "computed_at": _CLOCK},
    "engagement.messages": {
        "planned_at": _CLOCK,
        "changed_at": _CLOCK,
        "due_at": _CLOCK,
        "provider_id": "the mail server's",
        "reply": "the mail server's",
    },
    "engagement.announcements": {"at": _CLOCK, "value": "says when and the mail server's id"},
    "metrics.message_facts": {"day": _CLOCK, "sequence": _WRITES},
}
"""Columns that may differ, and why."""

PASSING: Mapping[str, str] = {
    "profile.search_due": "what is still to be drawn, half a second at most",
    "profile.search_terms": "drawn from identities, half a second later",
    "profile.checks": "how far the check has come that is always under way",
}
"""Tables of what is under way, and of what."""

_TABLES = """
    SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY(%s) ORDER BY 1, 2
"""
_OURS = set(re.findall(r"CREATE TABLE \{schema\}\.(\w+)", "".join(RUNTIME_TABLES_V1))) | {"alembic_version"}
_UUID5 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_PACKED = ("doc", "standing", "summary", "joined", "word", "ruling")
_OPAQUE = ("content_hash", "others", "rules", "stages")


def tables(rapport: Rapport) -> dict[str, list[str]]:
    """Return the rows of every table but the runtime's own, each as canonical JSON, in their order."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(rapport.addresses.database_url, row_factory=dict_row) as connection:
        for row in connection.execute(_TABLES, [list(SCHEMAS)]).fetchall():
            schema, table = row["nspname"], row["relname"]
            name = f"{schema}.{table}"
            if table in _OURS or name in PASSING:
                continue
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))).fetchall()
            found[name] = sorted(_canonical(_row(name, one)) for one in rows)
    return found


async def topics(rapport: Rapport) -> dict[str, list[str]]:
    """Return the last value and version of each key of each state topic."""
    found: dict[str, list[str]] = {}
    for topic in REGISTRY:
        if topic.kind is Kind.STATE:
            last = {record.key: record for record in await rapport.records(topic)}
            found[topic.name] = sorted(
                _canonical(
                    (key, None if one.value is None else msgspec.json.decode(one.value), version_of(one.headers))
                )
                for key, one in last.items()
            )
    return found


def _row(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name not in LEFT_OUT.get(table, {})}
    if table == "profile.timeline" and _UUID5.fullmatch(row["message_id"]):
        kept["key"] = kept["key"].hex[:12]  # the time of its month; the rest is a hash with the id
    return {name: _opened(name, value) for name, value in kept.items()}


def _opened(column: str, value: Any) -> Any:
    if not isinstance(value, bytes) or column in _OPAQUE:
        return value
    return msgspec.msgpack.decode(value) if column in _PACKED else msgspec.json.decode(value)


def _canonical(value: Any) -> str:
    return _UUID5.sub(DERIVED, msgspec.json.encode(value, enc_hook=_plain, order="deterministic").decode())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | Decimal | UUID):
        return str(value)
    raise NotImplementedError(type(value).__name__)
