"""An identity's name is for ever: it stands in keys and tables, so these answers never change."""

import hashlib
import hmac
from itertools import permutations

import pytest

from shared.contracts.identities import IdentityKind, IdentityRef, identity_id, strongest

SECRET = b"the example's secret"


@pytest.mark.parametrize(
    ("kind", "value", "generation", "name"),
    [
        ("user_id", "u-17", 0, "d3498939b95b862ac0f3d4c25f9001da"),
        ("anonymous_id", "an-7", 0, "ac7666ffc1731b5248925c7454f6b0f8"),
        ("email", "eva@example.com", 0, "b7ffcb745faa5cb88655a298bfaaeafc"),
        ("user_id", "u-17", 1, "7f2ac61ba39c026496b400fab22bed8c"),
        ("email", "zoë@example.com", 0, "2074fa9afc260cde2b736180c486c7a8"),
    ],
)
def test_an_identity_has_the_name_that_it_always_had(kind: str, value: str, generation: int, name: str) -> None:
    assert identity_id(SECRET, kind, value, generation) == name


def test_the_name_is_the_first_half_of_an_hmac_sha256() -> None:
    message = "user_id\0u-17\0" + "3"
    expected = hmac.new(SECRET, message.encode(), hashlib.sha256).hexdigest()[:32]
    assert identity_id(SECRET, "user_id", "u-17", 3) == expected


def test_another_secret_kind_value_or_generation_is_another_name() -> None:
    names = {
        identity_id(SECRET, "user_id", "17"),
        identity_id(b"another secret", "user_id", "17"),
        identity_id(SECRET, "anonymous_id", "17"),
        identity_id(SECRET, "user_id", "18"),
        identity_id(SECRET, "user_id", "17", 1),
    }
    assert len(names) == 5


def test_the_strongest_identity_does_not_depend_on_the_order() -> None:
    refs = [IdentityRef(identity_id(SECRET, kind, "x"), kind, "x") for kind in (*IdentityKind, "shop")]
    assert {strongest(order) for order in permutations(refs)} == {refs[0]}
    assert {strongest(order).kind for order in permutations(refs[1:])} == {"email"}
    assert {strongest(order).kind for order in permutations(refs[2:])} == {"android.id"}


def test_of_two_of_a_kind_the_smaller_name_is_stronger() -> None:
    one, two = IdentityRef("1" * 32, "email", "b"), IdentityRef("2" * 32, "email", "a")
    assert strongest([one, two]) == strongest([two, one]) == one
