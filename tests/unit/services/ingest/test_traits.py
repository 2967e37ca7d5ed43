"""Segment's reserved traits may be spelt in two ways; what we pass on is spelt in one."""

from typing import Any

import msgspec
import pytest

from services.ingest.domain.forms import Said
from services.ingest.domain.payloads import payload_of
from services.ingest.domain.problems import Problem
from shared.contracts.catalogue import IDENTIFY, Family
from shared.contracts.customers import LARGEST_TRAIT, LONGEST_TRAIT_NAME, MOST_TRAITS


def traits(said: dict[str, Any]) -> Any:
    found = payload_of(Family.IDENTIFY, IDENTIFY, msgspec.Raw(msgspec.json.encode(said)), "/traits", None)
    assert isinstance(found, Said)
    return msgspec.json.decode(found.text)["traits"]


@pytest.mark.parametrize(
    ("theirs", "ours"), [("firstName", "first_name"), ("lastName", "last_name"), ("createdAt", "created_at")]
)
def test_a_reserved_trait_is_spelt_one_way(theirs: str, ours: str) -> None:
    assert traits({theirs: "x", "email": "e"}) == traits({ours: "x", "email": "e"}) == {ours: "x", "email": "e"}


def test_of_both_spellings_the_one_that_is_ours_counts() -> None:
    assert traits({"firstName": "a", "first_name": "b"}) == {"first_name": "b"}
    assert traits({"first_name": "b", "firstName": "a"}) == {"first_name": "b"}


def test_a_reserved_trait_can_be_unset_in_either_spelling() -> None:
    assert traits({"firstName": None}) == {"first_name": None}


def test_traits_of_the_senders_own_stay_as_they_are() -> None:
    assert traits({"favouriteColour": "red", "Firstname": "x"}) == {"favouriteColour": "red", "Firstname": "x"}


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({f"t{number}": 1 for number in range(MOST_TRAITS + 1)}, "/traits"),
        ({"x" * (LONGEST_TRAIT_NAME + 1): 1}, "/traits/" + "x" * 100),
        ({"a\nb": 1}, "/traits/a\ufffdb"),
        ({"x": {"y": "z" * LARGEST_TRAIT}}, "/traits/x"),
    ],
)
def test_traits_that_no_record_has_room_for_are_refused(said: dict[str, Any], path: str) -> None:
    found = payload_of(Family.IDENTIFY, IDENTIFY, msgspec.Raw(msgspec.json.encode(said)), "/traits", None)
    assert isinstance(found, Problem)
    assert (found.stage.value, found.path) == ("limits", path)
