"""All of Rapport, once for all tests here: real servers of their own, for our topics have fixed names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.local.platform import Platform
from shared.local.temporary import temporary_stack
from tests.e2e.rapport import Rapport

CONFIG = Path(__file__).parent / "config"


@pytest.fixture(scope="package")
def rapport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rapport]:
    """Start two servers, five services and a mail server; gone before the next folder's tests need the processor."""
    folder = tmp_path_factory.mktemp("rapport")
    with temporary_stack(folder / "servers") as servers:
        addresses = servers.addresses()
        assert addresses is not None
        variables = {"CRM_KAFKA_BOOTSTRAP_SERVERS": addresses.kafka, "CRM_DATABASE_URL": addresses.database_url}
        platform = Platform(folder / "home", CONFIG, environment=variables)
        try:
            platform.up()
            yield Rapport(platform, addresses, (folder / "servers" / "logs", platform.root / "logs"))
        finally:
            platform.down()
