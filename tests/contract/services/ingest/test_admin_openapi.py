"""The admin API's description in the documents is what the code says."""

import json
from pathlib import Path

from services.ingest.admin.openapi import description

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "openapi-ingest-admin.json"


def test_the_admin_api_s_description_is_as_the_code_writes_it() -> None:
    assert PAGE.read_text("utf-8") == description(), (
        f"docs/reference/{PAGE.name} is not up to date: "
        f"python -m services.ingest.admin.openapi > docs/reference/{PAGE.name}"
    )


def test_every_operation_says_what_it_does_asks_for_a_key_and_tells_its_refusals() -> None:
    paths = json.loads(description())["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["description"].endswith(".")
        assert operation["security"] == [{"HTTPBearer": []}]
        assert {"401", "403", "422", "503"} <= set(operation["responses"])
