"""Keys of people and programs that operate Rapport: kept as hashes, compared in constant time, each with one role."""

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_KEYS = 1_000
_LONGEST_NAME = 100
_HASH = re.compile(r"[0-9a-f]{64}")
_MEMBERS = frozenset({"name", "role", "sha256"})


class Role(StrEnum):
    """What a key may do: read < operate < admin; privacy stands apart, for requests of the people whose data it is."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"
    PRIVACY = "privacy"


_RISING = (Role.READ, Role.OPERATE, Role.ADMIN)


def at_least(role: Role) -> frozenset[Role]:
    """Return the roles that may do what this one may; privacy only stands for itself."""
    return frozenset({role} if role is Role.PRIVACY else _RISING[_RISING.index(role) :])


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the key's name, which audits write down, and its role."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class _Key:
    caller: Caller
    digest: bytes


class ApiKeys:
    """The keys that are known; without any, nobody gets in."""

    def __init__(self, keys: Sequence[_Key] = ()) -> None:
        self._keys = tuple(keys)

    @classmethod
    def read(cls, text: str) -> "ApiKeys":
        """Read a JSON list of `{"name": …, "role": …, "sha256": …}`, the last as 64 hexadecimal digits.

        Raises:
            ValueError: says which of them is wrong, and shows no value.
        """
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("expected a JSON list of keys") from None
        if not isinstance(said, list) or len(said) > MOST_KEYS:
            raise ValueError(f"expected a JSON list of at most {MOST_KEYS} keys")
        keys = [_key(number, one) for number, one in enumerate(said)]
        if len({key.caller.name for key in keys}) < len(keys):
            raise ValueError("expected a name of its own for each key, for audits tell callers by it")
        return cls(keys)

    def caller(self, presented: str) -> Caller | None:
        """Tell whose key this is; it takes as long for a wrong one as for a right one."""
        digest = hashlib.sha256(presented.encode("utf-8", "surrogatepass")).digest()
        found: Caller | None = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key.caller
        return found


def hashed(key: str) -> str:
    """Return what settings hold in place of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def _key(number: int, said: object) -> _Key:
    if not isinstance(said, dict) or set(said) != _MEMBERS:
        raise ValueError(f"expected name, role and sha256 in key {number}")
    name, role, digest = said["name"], said["role"], said["sha256"]
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ValueError(f"expected a name of 1 to {_LONGEST_NAME} printable characters in key {number}")
    if not isinstance(role, str) or role not in list(Role):
        raise ValueError(f"expected one of {', '.join(Role)} as the role of key {number}")
    if not isinstance(digest, str) or not _HASH.fullmatch(digest):
        raise ValueError(f"expected 64 lower-case hexadecimal digits as the sha256 of key {number}")
    return _Key(Caller(name, Role(role)), bytes.fromhex(digest))
