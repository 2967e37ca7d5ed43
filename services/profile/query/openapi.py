"""The query API's description, written from the code: `python -m services.profile.query.openapi`."""

import json
import sys

from services.profile.query.app import application
from shared.runtime.api_keys import ApiKeys
from shared.runtime.health import Report


async def _ready() -> Report:
    return Report(())


def description() -> str:
    """Render the OpenAPI document."""
    return json.dumps(application(ApiKeys(), _ready).openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(description())
