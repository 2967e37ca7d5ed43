"""Servers named by environment variables."""

import pytest

from shared.local.errors import BadDatabaseUrlError, DatabaseTooOldError
from shared.local.external import check_version, place


@pytest.mark.parametrize(
    "address",
    ["postgresql://ann:s3cret@db.example.com:5433/crm", "host=db.example.com port=5433 dbname=crm password=s3cret"],
)
def test_a_place_shows_neither_role_nor_password(address: str) -> None:
    assert place(address) == "db.example.com:5433/crm"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret%@db/crm",
        "postgresql://ann:x@s3cret@db/crm",
        "postgresql://ann:x/s3cret@db/crm",
        "mysql://ann:s3cret@db/crm",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(BadDatabaseUrlError) as caught:
        place(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("number", [150000, 150004, 180006])
def test_fifteen_and_newer_are_new_enough(number: int) -> None:
    check_version("h:5432/d", number)


def test_an_older_postgresql_is_refused_by_its_version() -> None:
    with pytest.raises(DatabaseTooOldError, match=r"version 14\.9; 15 or newer"):
        check_version("h:5432/d", 140009)
