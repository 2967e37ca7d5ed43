"""The admin API's description tells a caller all that there is to know."""

import json

from services.ingest.admin.openapi import description


def test_every_operation_says_what_it_does_asks_for_a_key_and_tells_its_refusals() -> None:
    paths = json.loads(description())["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["description"].endswith(".")
        assert operation["security"] == [{"HTTPBearer": []}]
        assert {"401", "403", "422", "503"} <= set(operation["responses"])
