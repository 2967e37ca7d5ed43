"""What the demo found: counted in the services' own tables and at the mail server, joined with what was sent."""

import mailbox
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from shared.contracts.topics import RAW_EVENTS
from shared.demo.probes import Timings


@dataclass(frozen=True, slots=True)
class Found:
    """The totals of one run. `lost` counts ids that were acknowledged and are nowhere."""

    orders: int
    customers: int
    revenue: str
    duplicates: int
    quarantined: int
    lost: int
    segments: Mapping[str, int]
    mails: int
    mails_twice: int
    clock_exits: int
    latency_seconds: Mapping[str, float]
    clock_lateness_seconds: Mapping[str, float]


def find(
    connection: psycopg.Connection[tuple[Any, ...]],
    mails: Path,
    sent: Iterable[str],
    malformed: Iterable[tuple[int, int]],
    timings: Timings,
) -> Found:
    """Count everything."""
    known = {row[0] for row in connection.execute("SELECT message_id FROM profile.timeline")}
    quarantined = set(
        connection.execute(
            "SELECT lane, record_offset FROM ingest.quarantine WHERE topic = %s", (RAW_EVENTS.name,)
        ).fetchall()
    )
    lost = sum(message_id not in known for message_id in sent)
    lost += sum(place not in quarantined for place in malformed)
    keys = mail_keys(mails)
    return Found(
        orders=_one(connection, "SELECT count(*) FROM profile.timeline WHERE name = 'Order Completed'"),
        customers=_one(connection, "SELECT count(DISTINCT coalesce(root, id)) FROM profile.identities"),
        revenue=_money(connection),
        duplicates=_one(connection, "SELECT sum(duplicate) FROM profile.positions"),
        quarantined=_one(connection, "SELECT count(*) FROM ingest.quarantine"),
        lost=lost,
        segments=_segments(connection),
        mails=len(keys),
        mails_twice=len(keys) - len(set(keys)),
        clock_exits=len(timings.exits),
        latency_seconds=percentiles(timings.entries),
        clock_lateness_seconds=percentiles(timings.exits),
    )


def mail_keys(folder: Path) -> list[str]:
    """Return the message key of each mail that the mail server took."""
    if not folder.is_dir():
        return []
    return [str(mail["X-Rapport-Message"]) for mail in mailbox.Maildir(folder, create=False)]


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99 by the nearest rank; empty when there is nothing."""
    ranked = sorted(seconds)
    if not ranked:
        return {}
    return {f"p{p}": round(ranked[max(0, -(-p * len(ranked) // 100) - 1)], 3) for p in (50, 95, 99)}


def _one(connection: psycopg.Connection[tuple[Any, ...]], query: LiteralString) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def _money(connection: psycopg.Connection[tuple[Any, ...]]) -> str:
    row = connection.execute("SELECT sum(revenue) FROM metrics.order_facts WHERE currency = 'USD'").fetchone()
    return format((row[0] if row else None) or Decimal(0), "f")


def _segments(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, int]:
    rows = connection.execute(
        "SELECT segment, count(*) FROM segmenter.memberships WHERE inside GROUP BY segment ORDER BY segment"
    )
    return {segment: int(count) for segment, count in rows}
