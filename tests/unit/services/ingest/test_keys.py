"""Write keys: told once, kept as a hash, good until they end."""

import hashlib
from datetime import timedelta

import pytest

from services.ingest.domain.keys import LONGEST_KEY, RANDOM_BYTES, StoredKey, hash_of, id_of, is_id, make
from tests.unit.services.ingest.records import APPENDED as NOW

KEY = make(bytes(range(RANDOM_BYTES)))
STORED = StoredKey(KEY.id, "web-shop", KEY.hash, None)


def test_a_key_is_written_with_its_id_and_its_secret() -> None:
    assert KEY.id == "aaaqeaye"
    head, key_id, secret = KEY.text.split("_", 2)
    assert (head, key_id, len(secret)) == ("rk", KEY.id, 43)
    assert len(KEY.text) == LONGEST_KEY
    assert id_of(KEY.text) == KEY.id
    assert is_id(KEY.id)


def test_only_the_hash_of_a_key_is_kept() -> None:
    assert KEY.hash == hashlib.sha256(KEY.text.encode()).digest()
    assert KEY.text not in repr(STORED)


@pytest.mark.parametrize("size", [0, RANDOM_BYTES - 1, RANDOM_BYTES + 1])
def test_a_key_is_made_from_enough_random_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="37 bytes"):
        make(bytes(size))


def test_each_random_byte_makes_another_key() -> None:
    plain = bytes(RANDOM_BYTES)
    texts = {make(plain[:place] + b"\x01" + plain[place + 1 :]).text for place in range(RANDOM_BYTES)}
    assert len(texts | {make(plain).text}) == RANDOM_BYTES + 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rk_",
        KEY.text[:-1],
        KEY.text + "A",
        KEY.text + "\n",
        KEY.text.replace("rk_", "pk_"),
        KEY.text.upper(),
        KEY.text[:-1] + "+",
        KEY.text[:-1] + "é",
        KEY.text[:-1] + "\ud800",
        "x" * 100_000,
    ],
)
def test_what_is_no_key_has_no_id_and_matches_none(text: str) -> None:
    assert id_of(text) is None
    assert not STORED.matches(text, NOW)


def test_a_key_matches_itself_alone() -> None:
    other = make(KEY.hash + bytes(RANDOM_BYTES - 32))
    assert STORED.matches(KEY.text, NOW)
    assert not STORED.matches(other.text, NOW)
    assert not STORED.matches(KEY.text[:-1] + ("A" if KEY.text[-1] != "A" else "B"), NOW)


def test_a_key_is_good_until_it_ends() -> None:
    ending = StoredKey(KEY.id, "web-shop", KEY.hash, NOW)
    assert ending.matches(KEY.text, NOW - timedelta(microseconds=1))
    assert not ending.matches(KEY.text, NOW)


@pytest.mark.parametrize("text", ["", "abcdefg", "abcdefgh2", "ABCDEFGH", "abcdefg1", "abcdefg\n"])
def test_what_is_no_id_is_seen(text: str) -> None:
    assert not is_id(text)


def test_a_hash_takes_any_text() -> None:
    assert len(hash_of("\ud800")) == 32
