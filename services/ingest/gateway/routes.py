"""Which address takes what: the paths that real SDKs post to, with the shape and the type of what comes there."""

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


def keyed(path: str) -> tuple[str, str]:
    """Take the key out of `/s/{key}/…`, for trackers that can be given an address and nothing else."""
    if not path.startswith(KEYED):
        return path, ""
    key, slash, rest = path[len(KEYED) :].partition("/")
    return slash + rest, key


def plain(path: str) -> str:
    """Forgive what hosts written with a slash at their end make of a path."""
    return "/" + path.strip("/")
