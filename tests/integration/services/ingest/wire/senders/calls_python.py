"""Sends calls with segment-analytics-python, or its fork rudder-sdk-python, as a customer's program does."""

import json
import sys
from datetime import datetime
from importlib import import_module
from typing import Any


def main(host: str, key: str, sdk: str, calls: list[dict[str, Any]]) -> None:
    """Make every call, wait until the SDK is done, and say which ids it gave and what it lost."""
    lost: list[str] = []
    # By name: it lives in an environment of its own, together with this program.
    client = import_module(sdk).Client(
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
    main(sys.argv[1], sys.argv[2], sys.argv[3], json.load(sys.stdin))
