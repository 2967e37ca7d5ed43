"""The rules of registering a source: its name, and when another key may be made."""

from datetime import timedelta

import pytest

from services.ingest.domain.keys import StoredKey
from services.ingest.domain.registration import LONGEST_NAME, Rotated, TooManyKeys, is_name, nearest, rotation
from tests.unit.services.ingest.records import APPENDED as NOW

LATER = NOW + timedelta(hours=24)


def key(key_id: str, ends_in_hours: int | None = None) -> StoredKey:
    ends = None if ends_in_hours is None else NOW + timedelta(hours=ends_in_hours)
    return StoredKey(key_id, "web-shop", bytes(32), ends)


@pytest.mark.parametrize(
    "name",
    ["web-shop", "w", "7", "Web.Shop_2", "/shops/berlin", "https://shop.example/a~b", "x" * LONGEST_NAME],
)
def test_a_source_may_be_called_like_a_word_or_a_uri(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "web shop", "-shop", "--strict", ".x", "shop\n", "shöp", "a\x1b[2J", "x" * (LONGEST_NAME + 1)),
        *("unknown", "other", "unregistered", "Unknown"),
    ],
)
def test_a_name_that_would_be_taken_for_something_else_is_refused(name: str) -> None:
    assert not is_name(name)


def test_the_word_that_was_meant_is_found() -> None:
    assert nearest("web-shp", ["billing", "web-shop"]) == "web-shop"
    assert nearest("WEB-SHOP", ["billing", "Web-Shop"]) == "Web-Shop"
    assert nearest("zzz", ["billing", "web-shop"]) is None
    assert nearest("zzz", []) is None


def test_the_key_in_use_ends_when_another_is_made() -> None:
    assert rotation([key("a")], LATER) == Rotated(["a"], LATER)


def test_a_key_that_ends_earlier_still_does() -> None:
    assert rotation([key("a", 1)], LATER) == Rotated([], LATER)


def test_a_key_that_would_end_later_ends_with_the_grace() -> None:
    assert rotation([key("a", 48)], LATER) == Rotated(["a"], LATER)


def test_a_source_without_a_key_gets_one() -> None:
    assert rotation([], LATER) == Rotated([], LATER)


def test_a_third_key_has_to_wait() -> None:
    active = [key("a", 1), key("b")]
    assert rotation(active, LATER) == TooManyKeys(active)
