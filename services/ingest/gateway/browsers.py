"""What browser SDKs ask for before they send anything: where to send, and that there is nothing else to load."""

import re
from typing import Any

from services.ingest.domain.sources import Source

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?")
_EVERYTHING = {"__default": {"enabled": True, "integrations": {}}}


def segment_settings(key: str, host: str, scheme: str) -> dict[str, Any]:
    """Answer `GET /v1/projects/{key}/settings` of analytics-next; without a host it would send to its vendor."""
    integration: dict[str, Any] = {"apiKey": key, "unbundledIntegrations": [], "addBundledMetadata": False}
    if _HOST.fullmatch(host):
        integration |= {"apiHost": f"{host}/v1", "protocol": scheme}
    return {
        "integrations": {"Segment.io": integration},
        "plan": {"track": _EVERYTHING, "identify": _EVERYTHING, "group": _EVERYTHING},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }


def rudder_source_config(key: str, source: Source) -> dict[str, Any]:
    """Answer `GET /sourceConfig/` of RudderStack's browser SDK: a source without destinations."""
    return {
        "source": {
            "id": source.name,
            "name": source.name,
            "writeKey": key,
            "enabled": True,
            "workspaceId": "rapport",
            "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
            "connections": [],
            "destinations": [],
            "dataplanes": {},
        },
    }
