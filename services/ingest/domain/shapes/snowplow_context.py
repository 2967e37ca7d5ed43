"""The circumstances of a Snowplow event in Segment's words, with what has none there kept under `snowplow`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.ingest.domain.decoding import decode, decoder, encode_object
from services.ingest.domain.problems import Problem, Stage
from services.ingest.domain.shapes.snowplow_events import embedded

_TOP = (("lang", "locale"), ("tz", "timezone"), ("ua", "userAgent"), ("ip", "ip"))
_PAGE = (("url", "url"), ("page", "title"), ("refr", "referrer"))
_EVENT = frozenset({"e", "eid", "uid", "duid", "dtm", "stm", "ttm", "ue_px", "ue_pr", "cx", "co", "aid"})
_ORDER = frozenset({"tr_id", "tr_tt", "tr_cu"})
_TOLD = _EVENT | _ORDER | {theirs for theirs, _ in (*_TOP, *_PAGE)}
_TOLD_BY_TYPE = ("se_", "ti_", "pp_")


class _Entity(msgspec.Struct, frozen=True, gc=False):
    schema: str = ""
    data: dict[str, Any] | None = None


class _Entities(msgspec.Struct, frozen=True, gc=False):
    data: list[_Entity] = []


_entities: msgspec.json.Decoder[_Entities] = decoder(_Entities)


def context_of(pairs: Mapping[str, str], schema: str | None) -> msgspec.Raw | Problem | None:
    """Collect what is known beside the event itself: the page, the device's words, the entities it came with."""
    context: dict[str, Any] = {ours: pairs[theirs] for theirs, ours in _TOP if theirs in pairs}
    page = {ours: pairs[theirs] for theirs, ours in _PAGE if theirs in pairs}
    if page:
        context["page"] = page
    if "aid" in pairs:
        context["app"] = {"name": pairs["aid"]}
    entities = _attached(pairs)
    if isinstance(entities, Problem):
        return entities
    rest: dict[str, Any] = {
        name: value for name, value in pairs.items() if name not in _TOLD and not name.startswith(_TOLD_BY_TYPE)
    }
    own = {"pairs": rest, "entities": entities, "schema": schema}
    said = {name: value for name, value in own.items() if value}
    if said:
        context["snowplow"] = said
    if not context:
        return None
    text = encode_object(context, "")
    return text if isinstance(text, Problem) else msgspec.Raw(text)


def _attached(pairs: Mapping[str, str]) -> list[_Entity] | Problem:
    found = embedded(pairs, "cx", "co")
    if found is None or isinstance(found, Problem):
        return found or []
    text, path = found
    entities = decode(_entities, text, Stage.ENVELOPE, path)
    return entities if isinstance(entities, Problem) else entities.data
