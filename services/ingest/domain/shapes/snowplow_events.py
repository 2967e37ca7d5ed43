"""What a Snowplow event says, by its type: a page, a ping, a structured or self-describing event, a transaction."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from services.ingest.domain import money
from services.ingest.domain.decoding import decode, decoder, encode_object
from services.ingest.domain.draft import NOTHING
from services.ingest.domain.problems import Problem, Reason, Stage
from shared.contracts import catalogue

PAGE_PINGED = "Page Pinged"
TRANSACTION_ITEM = "Transaction Item"
OWN_VENDOR = "com.snowplowanalytics."

_TYPES = "pv, pp, ue, se, tr or ti"
_SCREEN_VIEWS = frozenset({"com.snowplowanalytics.mobile/screen_view", "com.snowplowanalytics.snowplow/screen_view"})
_SCHEMA = re.compile(
    r"iglu:(?P<vendor>[A-Za-z0-9_.-]{1,200})/(?P<name>[A-Za-z0-9_-]{1,200})/[A-Za-z0-9_-]{1,50}/[0-9]{1,9}-[0-9]{1,9}-[0-9]{1,9}"
)
_LONGEST_SCHEMA = 300
_STANDARD = bytes.maketrans(b"-_", b"+/")


class Event(msgspec.Struct, frozen=True, gc=False):
    """An event's name and body, where it keeps them, and the schema that describes it, if it names one."""

    name: str
    name_path: str
    body: msgspec.Raw
    body_path: str
    schema: str | None = None


class Described(msgspec.Struct, frozen=True, gc=False):
    """Self-describing JSON: data, and the schema that it claims to follow."""

    schema: str = ""
    data: msgspec.Raw = NOTHING


_described: msgspec.json.Decoder[Described] = decoder(Described)


def said_by(pairs: Mapping[str, str]) -> Event | Problem:
    """Read what an event says from its name-value pairs; its type is the pair `e`."""
    kind = pairs.get("e")
    if kind is None:
        return Problem(Stage.ENVELOPE, Reason.MISSING, "/e", _TYPES, "nothing")
    read = _KINDS.get(kind)
    if read is None:
        return Problem(Stage.ENVELOPE, Reason.UNKNOWN_TYPE, "/e", _TYPES, "another string")
    return read(pairs)


def embedded(pairs: Mapping[str, str], encoded: str, plain: str) -> tuple[bytes, str] | Problem | None:
    """Find JSON that stands in a pair, as base64url with or without padding, or as it is; with its path.

    Sent both ways, the encoded one counts, as in Snowplow's own enrichment.
    """
    text = pairs.get(encoded)
    if text is None:
        return (pairs[plain].encode(), f"/{plain}") if plain in pairs else None
    try:
        raw = text.encode("ascii").translate(_STANDARD).rstrip(b"=")
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True), f"/{encoded}"
    except (binascii.Error, UnicodeEncodeError):
        return Problem(Stage.ENVELOPE, Reason.NOT_BASE64, f"/{encoded}", "base64url (RFC 4648)", "other text")


def _page(pairs: Mapping[str, str]) -> Event | Problem:
    return _event(catalogue.PAGE, "/e", _taken(pairs, _PAGE))


def _ping(pairs: Mapping[str, str]) -> Event | Problem:
    offsets = _numbers(pairs, (("pp_mix", "min_x"), ("pp_max", "max_x"), ("pp_miy", "min_y"), ("pp_may", "max_y")))
    return offsets if isinstance(offsets, Problem) else _event(PAGE_PINGED, "/e", {**_taken(pairs, _PAGE), **offsets})


def _structured(pairs: Mapping[str, str]) -> Event | Problem:
    for member in ("se_ca", "se_ac"):
        if member not in pairs:
            return Problem(Stage.ENVELOPE, Reason.MISSING, f"/{member}", "a non-empty string", "nothing")
    value = _numbers(pairs, (("se_va", "value"),))
    if isinstance(value, Problem):
        return value
    texts = _taken(pairs, (("se_ca", "category"), ("se_la", "label"), ("se_pr", "property")))
    return _event(pairs["se_ac"], "/se_ac", {**texts, **value})


def _self_describing(pairs: Mapping[str, str]) -> Event | Problem:
    found = embedded(pairs, "ue_px", "ue_pr")
    if found is None:
        return Problem(Stage.ENVELOPE, Reason.MISSING, "/ue_px", "self-describing JSON, here or in ue_pr", "nothing")
    if isinstance(found, Problem):
        return found
    text, path = found
    outer = decode(_described, text, Stage.ENVELOPE, path)
    if isinstance(outer, Problem):
        return outer
    inner = decode(_described, outer.data, Stage.ENVELOPE, f"{path}/data")
    if isinstance(inner, Problem):
        return inner
    schema = _SCHEMA.fullmatch(inner.schema) if len(inner.schema) <= _LONGEST_SCHEMA else None
    if schema is None:
        expected = "iglu:VENDOR/NAME/FORMAT/MODEL-REVISION-ADDITION"
        return Problem(Stage.ENVELOPE, Reason.NOT_A_URI, f"{path}/data/schema", expected, "other text")
    name = _name(schema["vendor"], schema["name"])
    return Event(name, f"{path}/data/schema", inner.data, f"{path}/data/data", inner.schema)


def _transaction(pairs: Mapping[str, str]) -> Event | Problem:
    total = _numbers(pairs, (("tr_tt", "total"),))
    if isinstance(total, Problem):
        return total
    currency = money.currency(pairs.get("tr_cu"), "/tr_cu")
    if isinstance(currency, Problem):
        return currency
    order = {**_taken(pairs, (("tr_id", "order_id"),)), **total, "currency": currency}
    return _event(catalogue.ORDER_COMPLETED, "/e", order)


def _transaction_item(pairs: Mapping[str, str]) -> Event | Problem:
    numbers = _numbers(pairs, (("ti_pr", "price"), ("ti_qu", "quantity")))
    if isinstance(numbers, Problem):
        return numbers
    names = (("ti_id", "order_id"), ("ti_sk", "sku"), ("ti_nm", "name"), ("ti_ca", "category"), ("ti_cu", "currency"))
    return _event(TRANSACTION_ITEM, "/e", {**_taken(pairs, names), **numbers})


_PAGE = (("url", "url"), ("page", "title"), ("refr", "referrer"))
_KINDS: Mapping[str, Callable[[Mapping[str, str]], Event | Problem]] = {
    "pv": _page,
    "pp": _ping,
    "se": _structured,
    "ue": _self_describing,
    "tr": _transaction,
    "ti": _transaction_item,
}


def _name(vendor: str, name: str) -> str:
    """Name a self-describing event by its schema; one of the catalogue's names may be spelt as schemas spell them.

    Snowplow's own schemas are not taken for ours but for the screen view: its `consent_withdrawn` has other members.
    """
    if f"{vendor}/{name}" in _SCREEN_VIEWS:
        return catalogue.SCREEN
    titled = re.sub(r"[_-]+", " ", name).title()
    return titled if titled in catalogue.FAMILY_OF and not vendor.startswith(OWN_VENDOR) else name


def _event(name: str, name_path: str, members: Mapping[str, Any]) -> Event | Problem:
    body = encode_object(members, "")
    return body if isinstance(body, Problem) else Event(name, name_path, msgspec.Raw(body), "")


def _taken(pairs: Mapping[str, str], names: Sequence[tuple[str, str]]) -> dict[str, str]:
    return {ours: pairs[theirs] for theirs, ours in names if theirs in pairs}


def _numbers(pairs: Mapping[str, str], names: Sequence[tuple[str, str]]) -> dict[str, Decimal] | Problem:
    found: dict[str, Decimal] = {}
    for theirs, ours in names:
        if theirs in pairs:
            number = money.amount(pairs[theirs], f"/{theirs}")
            if isinstance(number, Problem):
                return number
            found[ours] = Decimal(number)
    return found
