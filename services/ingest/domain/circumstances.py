"""The context of an event: kept whole, its locale and time zone in one spelling, and what it tells about the person."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeGuard

import msgspec

from services.ingest.domain.claims import claimed
from services.ingest.domain.decoding import decode_object, encode_object
from services.ingest.domain.draft import NOTHING
from services.ingest.domain.identities import Claim
from services.ingest.domain.locales import country_of, country_of_locale, locale_of, zone_of
from services.ingest.domain.problems import Problem, Reason, Stage, type_of
from shared.contracts.identities import IdentityKind

MOST_EXTERNAL_IDS = 20
_USUAL = 1024
_LONGEST_KIND = 100

_DEVICES: Mapping[str, str] = {"ios": IdentityKind.IOS_ID.value, "android": IdentityKind.ANDROID_ID.value}
_PEOPLE = ("users", "", None)
_PLAIN = ("none", "", None)


class Circumstances(msgspec.Struct, frozen=True, gc=False):
    """A context that was read: its canonical JSON, the identifiers it claims, and the country it points to."""

    context: msgspec.Raw
    claims: tuple[Claim, ...] = ()
    country: str | None = None


_NONE = Circumstances(NOTHING)


def circumstances(context: msgspec.Raw, path: str, zone: str | None) -> Circumstances | Problem:
    """Read a context; `zone` is the time zone of its source, which holds where the context names none."""
    if context is NOTHING and zone is None:
        return _NONE
    text = bytes(context)
    return _usual(text, path, zone) if len(text) <= _USUAL else _read(text, path, zone)


def _read(text: bytes, path: str, zone: str | None) -> Circumstances | Problem:
    members = decode_object(text, Stage.ENVELOPE, path)
    if isinstance(members, Problem):
        return members
    found = _spell(members, path, zone) or _too_many(members, path)
    if found is not None:
        return found
    settled = encode_object(members, path)
    if isinstance(settled, Problem):
        return settled
    traits = members.get("traits")
    claims = claimed(traits, f"{path}/traits") if isinstance(traits, dict) else ()
    claims += _device(members.get("device"), path) + _external(members.get("externalIds"), path)
    country = country_of_address(traits) or country_of_locale(members.get("locale"))
    return Circumstances(msgspec.Raw(settled), claims, country)


# Servers say the same of each event, to the byte.
_usual = lru_cache(maxsize=1024)(_read)


def country_of_address(traits: Any) -> str | None:
    """Return the country of the address among traits, if there is one and we know it."""
    address = traits.get("address") if isinstance(traits, dict) else None
    country = address.get("country") if isinstance(address, dict) else None
    return country_of(country) if isinstance(country, str) else None


def _spell(members: dict[str, Any], path: str, zone: str | None) -> Problem | None:
    """Write locale and zone as their registries do; one that they do not know is a hint that does not help."""
    for name, spelt in (("locale", locale_of), ("timezone", zone_of)):
        said = members.get(name)
        if said is None:
            members.pop(name, None)
            continue
        if not isinstance(said, str):
            return Problem(Stage.ENVELOPE, Reason.WRONG_TYPE, f"{path}/{name}", "string", type_of(said))
        known = spelt(said)
        if known is None:
            del members[name]
        else:
            members[name] = known
    if zone is not None:
        members.setdefault("timezone", zone)
    return None


def _too_many(members: Mapping[str, Any], path: str) -> Problem | None:
    ids = members.get("externalIds")
    if not isinstance(ids, list) or len(ids) <= MOST_EXTERNAL_IDS:
        return None
    expected, found = f"at most {MOST_EXTERNAL_IDS} external ids", f"{len(ids)} external ids"
    return Problem(Stage.LIMITS, Reason.TOO_LARGE, f"{path}/externalIds", expected, found)


def _device(device: Any, path: str) -> tuple[Claim, ...]:
    if not isinstance(device, dict):
        return ()
    system, value = device.get("type"), device.get("id")
    if not isinstance(system, str) or not isinstance(value, str) or system.lower() not in _DEVICES:
        return ()
    return (Claim(_DEVICES[system.lower()], value, f"{path}/device/id"),)


def _external(ids: Any, path: str) -> tuple[Claim, ...]:
    claims: list[Claim] = []
    for index, one in enumerate(ids if isinstance(ids, list) else ()):
        if not isinstance(one, dict) or one.get("collection") not in _PEOPLE or one.get("encoding") not in _PLAIN:
            continue
        kind, value = one.get("type"), one.get("id")
        if _is_kind(kind) and isinstance(value, str | int) and not isinstance(value, bool):
            claims.append(Claim(kind, value, f"{path}/externalIds/{index}/id"))
    return tuple(claims)


def _is_kind(kind: Any) -> TypeGuard[str]:
    return isinstance(kind, str) and 0 < len(kind) <= _LONGEST_KIND and kind.isprintable() and kind == kind.strip()
