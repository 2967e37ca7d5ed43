"""Sends calls with segment-analytics-python, as a customer's program does."""

import json
import sys
from datetime import datetime
from typing import Any

from segment.analytics import Client  # type: ignore[import-untyped,unused-ignore]  # lives in an environment of its own


def main(host: str, key: str, calls: list[dict[str, Any]]) -> None:
    """Make every call, wait until the SDK is done, and say which ids it gave and what it lost."""
    lost: list[str] = []
    client = Client(
        key, host=host, upload_interval=0.1, on_error=lambda error, items: lost.append(f"{len(items)}: {error}")
    )
    ids = []
    for call in calls:
        kind = call.pop("type")
        if "timestamp" in call:
            call["timestamp"] = datetime.fromisoformat(call["timestamp"])
        _, message = getattr(client, kind)(**call)
        ids.append(message["messageId"])
    client.shutdown()
    sys.stdout.write(json.dumps({"ids": ids, "lost": lost}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.load(sys.stdin))
