"""Which address takes what: the paths that real SDKs know, with the shape and the type of what comes there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.ingest.domain.posts import SEGMENT, SNOWPLOW, Form


class Family(StrEnum):
    """What kind of request it was, for metrics."""

    BATCH = "batch"
    CALL = "call"
    SNOWPLOW = "snowplow"
    PIXEL = "pixel"
    SETTINGS = "settings"
    PREFLIGHT = "preflight"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Route:
    """Where events are taken: how they are written, and of which type a call is that comes alone."""

    family: Family
    form: Form = SEGMENT
    type: str | None = None


TYPES = ("identify", "track", "page", "screen", "group", "alias")
SNOWPLOW_POST = "/com.snowplowanalytics.snowplow/tp2"
SNOWPLOW_GET = "/i"
PIXEL = "/v1/pixel/"
KEYED = "/s/"

_BATCH = Route(Family.BATCH)
_CALLS = {kind: Route(Family.CALL, type=kind) for kind in TYPES}

EVENTS: Mapping[str, Route] = {
    **{f"/v1/{kind}": route for kind, route in _CALLS.items()},
    # The browser's short forms; `a` is alias and `s` screen.
    **{f"/v1/{kind[0]}": route for kind, route in _CALLS.items()},
    **dict.fromkeys(("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"), _BATCH),
    SNOWPLOW_POST: Route(Family.SNOWPLOW, SNOWPLOW),
}
"""What is posted, by path."""

TRACKED = Route(Family.SNOWPLOW, SNOWPLOW)
"""Snowplow's event in a query."""

PIXELS: Mapping[str, Route] = {name: Route(Family.PIXEL, type=kind) for kind in TYPES for name in (kind, kind[0])}
"""What is asked for as a picture, by the last step of its path."""


class Place(StrEnum):
    """What an address is for."""

    EVENTS = "events"
    """What is posted, and answered when Kafka has it."""
    TRACKED = "tracked"
    """Snowplow's event in a query."""
    PIXEL = "pixel"
    """An event in a query, whatever happens to it."""
    SEGMENT_SETTINGS = "segment_settings"
    SOURCE_CONFIG = "source_config"
    BROWSER_FIGURES = "browser_figures"
    """What analytics-next tells of itself; nobody wants it."""
    ALIVE = "alive"
    DESCRIPTION = "description"


@dataclass(frozen=True, slots=True)
class Address:
    """One address: its method, and its path with `{…}` for what varies. Who may GET may HEAD; OPTIONS always may."""

    method: str
    path: str
    place: Place


ADDRESSES: tuple[Address, ...] = (
    *(Address("POST", path, Place.EVENTS) for path in EVENTS),
    Address("GET", SNOWPLOW_GET, Place.TRACKED),
    Address("GET", f"{PIXEL}{{kind}}", Place.PIXEL),
    Address("GET", "/v1/projects/{key}/settings", Place.SEGMENT_SETTINGS),
    Address("GET", "/sourceConfig", Place.SOURCE_CONFIG),
    Address("POST", "/v1/m", Place.BROWSER_FIGURES),
    Address("GET", "/", Place.ALIVE),
    Address("GET", "/health", Place.ALIVE),
    Address("GET", "/openapi.json", Place.DESCRIPTION),
)
"""Every address of the gateway; what it answers and what it says of itself come from here."""

_FIXED = {address.path: address for address in ADDRESSES if "{" not in address.path}
_VARYING = [
    (re.compile(re.sub(r"\\{\w+\\}", "(.+)", re.escape(address.path)), re.DOTALL), address)
    for address in ADDRESSES
    if "{" in address.path
]


def found(path: str) -> tuple[Address, str] | None:
    """Find the address of a path, with what stands where it varies."""
    address = _FIXED.get(path)
    if address is not None:
        return address, ""
    for pattern, varying in _VARYING:
        match = pattern.fullmatch(path)
        if match is not None:
            return varying, match[1]
    return None


def keyed(path: str) -> tuple[str, str]:
    """Take the key out of `/s/{key}/…`, for trackers that can be given an address and nothing else."""
    if not path.startswith(KEYED):
        return path, ""
    key, slash, rest = path[len(KEYED) :].partition("/")
    return slash + rest, key


def plain(path: str) -> str:
    """Forgive what hosts written with a slash at their end make of a path."""
    return "/" + path.strip("/")
