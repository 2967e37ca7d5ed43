"""Laws of mending and replaying: what is not touched keeps its bytes, what is not mended is refused as it was."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.exact_json import decode_exact, encode_exact
from services.ingest.domain.mending import Mended, Patch, read_patch
from services.ingest.domain.reading import Refused, read
from services.ingest.domain.replaying import Acceptable, Empty, StillBad, judge, replayed, ticket_of
from services.ingest.domain.shapes.cloudevents import BATCH_MEDIA_TYPE
from tests.property.services.ingest.strategies import headers, record_values
from tests.unit.services.ingest.kept import all_kept
from tests.unit.services.ingest.records import READER, raw

numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
strings = st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False))
texts = st.recursive(
    numbers | strings | st.sampled_from(["true", "false", "null", "NaN"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(strings, inner, max_size=3).map(
            lambda members: f"{{{','.join(f'{name}:{value}' for name, value in members.items())}}}"
        )
    ),
    max_leaves=8,
)
NOTHING = read_patch(b"[]")


@given(value=record_values, sent=headers)
def test_the_empty_patch_changes_no_byte(value: bytes | None, sent: Any) -> None:
    assert isinstance(NOTHING, Patch)
    assert NOTHING.apply(value, sent) == Mended(value, sent)


@given(text=texts)
def test_json_without_white_space_comes_back_to_the_byte(text: str) -> None:
    assert encode_exact(decode_exact(text.encode())) == text.encode()


@given(text=texts, further=texts)
def test_a_patch_leaves_the_rest_of_the_event_to_the_byte(text: str, further: str) -> None:
    patch = read_patch(f'[{{"op":"add","path":"/b","value":{further}}}]'.encode())
    assert isinstance(patch, Patch)
    assert patch.apply(f'{{"a":{text}}}'.encode(), ()) == Mended(f'{{"a":{text},"b":{further}}}'.encode(), [])


@given(value=record_values, sent=headers)
def test_what_is_not_mended_is_refused_again_as_it_was(value: bytes | None, sent: Any) -> None:
    for kept, refused in all_kept(raw(value, sent, offset=41)):
        record = replayed(kept)
        ticket = ticket_of(record.headers)
        assert ticket is not None
        assert (ticket.entry, ticket.secret) == (kept.id, kept.ticket.hex)
        readings = read(record, READER)
        if _is_one_event_of_a_cloudevents_batch(kept.original, sent):
            # It may have been no array at all: an event alone is as good as a batch of one.
            continue
        (again,) = readings
        assert isinstance(again, Refused)
        assert (again.problem, again.source, again.received_at, again.event) == (
            *(refused.problem, refused.source, refused.received_at),
            refused.event,
        )
        if kept.original is not None and not _renamed(kept.original, record.value):
            assert again.original == refused.original


@given(value=record_values, sent=headers)
def test_judging_raises_nothing_whatever_was_kept(value: bytes | None, sent: Any) -> None:
    for kept, refused in all_kept(raw(value, sent)):
        same = msgspec.structs.replace(kept, mended=refused.original, mended_headers=kept.headers)
        assert isinstance(judge(kept, READER), Acceptable | StillBad | Empty)
        assert judge(same, READER) == judge(kept, READER)


def _is_one_event_of_a_cloudevents_batch(original: bytes | None, sent: Any) -> bool:
    media_types = [text for name, text in sent if name.lower() == "content-type" and text]
    return bool(original) and any(text.decode("latin-1").lower().startswith(BATCH_MEDIA_TYPE) for text in media_types)


def _renamed(original: bytes, value: bytes | None) -> bool:
    """A batch that was kept whole has got ids."""
    return value is not None and original not in value
