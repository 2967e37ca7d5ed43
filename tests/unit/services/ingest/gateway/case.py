"""What a request is, what is answered, and what is on the topic afterwards; a good batch is the usual case."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.unit.services.ingest.gateway.gateways import KEY, basic

BATCH = "/v1/batch"
SONG = "Song Played"
GOOD = {"type": "track", "event": SONG, "userId": "u-1", "messageId": "m-1"}
BAD = {"type": "track", "userId": "u-1", "messageId": "m-2"}
STORED = {"success": True}
PICTURE = b"GIF89a"


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


def batch(*events: Any, **members: Any) -> bytes:
    return text({"batch": list(events), **members})


def counted(accepted: int, quarantined: int) -> dict[str, Any]:
    return {"success": True, "accepted": accepted, "quarantined": quarantined}


@dataclass(frozen=True, slots=True)
class Case:
    """One request; `answer` are members of the JSON answer, or how its bytes begin; `topic` is read as ingest will."""

    what: str
    body: bytes = b""
    path: str = BATCH
    method: str = "POST"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    keyed: bool = True
    status: int = 200
    answer: Mapping[str, Any] | bytes = field(default_factory=lambda: STORED)
    topic: tuple[str, ...] = ()

    @property
    def all_headers(self) -> dict[str, str]:
        return {**(basic(KEY.text) if self.keyed else {}), **self.headers}


def song(what: str, body: bytes = b"", path: str = BATCH, **named: Any) -> Case:
    return Case(what, body, path, **named, answer=counted(1, 0), topic=(SONG,))


def kept(
    accepted: int,
    quarantined: int,
    topic: tuple[str, ...],
    what: str,
    body: bytes = b"",
    path: str = BATCH,
    **named: Any,
) -> Case:
    return Case(what, body, path, **named, answer=counted(accepted, quarantined), topic=topic)


def picture(topic: tuple[str, ...], what: str, **named: Any) -> Case:
    return Case(what, **{"method": "GET", **named}, answer=PICTURE, topic=topic)


def no(status: int, code: str, what: str, body: bytes = b"", path: str = BATCH, **named: Any) -> Case:
    return Case(what, body, path, **named, status=status, answer={"success": False, "code": code})
