"""What runs and how it is: the same facts as a table for people and as JSON for programs."""

import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from shared.local.lock import KAFKA_VERSION
from shared.local.platform import MAILBOX, PROCESSES, Platform
from shared.local.status import ServerKind, ServerStatus

SECONDS = 3.0
_BUILD = re.compile(r'^crm_build_info\{version="([^"]+)"\}', re.MULTILINE)
COLUMNS = ("name", "health", "address", "pid", "version", "detail")


def look(platform: Platform, *, servers_only: bool = False) -> list[dict[str, Any]]:
    """Look at every part, or only at Kafka and PostgreSQL: name, kind, address, pid, healthy, version, detail."""
    # Servers and services in the order of the flow, what only helps us last.
    found = platform.stack.status() if servers_only else platform.status()
    order = ("kafka", "postgres", *PROCESSES, MAILBOX)
    found.sort(key=lambda part: order.index(part.name))
    addresses = platform.stack.addresses()
    database = None if addresses is None else addresses.database_url
    with ThreadPoolExecutor(max_workers=len(found)) as pool:
        versions = list(pool.map(lambda part: version(part, platform, database), found))
    return [
        {
            "name": part.name,
            "kind": "process" if part.name in (*PROCESSES, MAILBOX) else part.kind.value,
            "address": part.address,
            "pid": part.pid,
            "healthy": part.healthy,
            "version": number,
            "detail": part.detail,
        }
        for part, number in zip(found, versions, strict=True)
    ]


def version(part: ServerStatus, platform: Platform, database_url: str | None) -> str | None:
    """Ask a part for its version; nothing when it does not tell."""
    if not part.healthy:
        return None
    if part.name in PROCESSES:
        return _service_version(platform.program(part.name).pages)
    if part.name == "kafka":
        return KAFKA_VERSION if part.kind is ServerKind.EMBEDDED else None
    if part.name == "postgres" and database_url is not None:
        return _postgres_version(database_url)
    return None


def rows(parts: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Lay the facts out as a table's rows."""
    return [
        (
            part["name"],
            "ok" if part["healthy"] else "NOT OK",
            part["address"],
            part["pid"],
            part["version"],
            part["detail"] or None,
        )
        for part in parts
    ]


def _service_version(address: str | None) -> str | None:
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=SECONDS) as answer:
            found = _BUILD.search(answer.read().decode("utf-8", "replace"))
    except (OSError, urllib.error.URLError):
        return None
    return None if found is None else found[1]


def _postgres_version(database_url: str) -> str | None:
    try:
        with psycopg.connect(database_url, connect_timeout=round(SECONDS)) as connection:
            return connection.info.parameter_status("server_version")
    except psycopg.Error:
        return None
