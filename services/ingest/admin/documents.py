"""What the admin API answers: exactly these members, so that a new column is not shown before somebody decides so."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from services.ingest.domain.causes import CAUSE
from services.ingest.quarantine.discarding import LONGEST_REASON
from services.ingest.quarantine.selecting import State

MOST_NAMED = 10_000
Group = Annotated[str, Field(pattern=f"^{CAUSE.pattern}$", description="A cause, as the summary tells it.")]
EntryId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Header = tuple[str, str | None]


class Cause(BaseModel):
    """Refused events that nobody has settled, with one thing wrong."""

    group: Group
    events: int
    open: int
    fixed: int
    replaying: int
    source: str
    event: str | None
    stage: str
    reason: str
    path: str
    expected: str
    found: str
    first_seen: datetime
    last_seen: datetime
    example: int


class Summary(BaseModel):
    """All causes, the greatest first."""

    causes: list[Cause]


class Entry(BaseModel):
    """A refused event, without its bytes."""

    id: int
    quarantined_at: datetime
    source: str
    event: str | None
    stage: str
    reason: str
    path: str
    expected: str
    found: str
    group: Group
    state: State


class Entries(BaseModel):
    """A page of entries; `next` is the cursor of the page after it, if there is one."""

    entries: list[Entry]
    next: str | None


class WholeEntry(Entry):
    """A refused event with its bytes and headers, as text: what is no text is written as escapes."""

    refused_at: datetime
    message_id: str | None
    received_at: datetime
    topic: str
    lane: int
    record_offset: int
    event_index: int
    original: str | None
    around: str | None
    headers: list[Header]
    mended: str | None
    mended_headers: list[Header] | None
    mended_at: datetime | None
    replay: int | None
    sent_at: datetime | None
    settled_at: datetime | None
    discard_reason: str | None


class StillRefused(BaseModel):
    """A cause under which events are refused after a patch."""

    group: Group
    events: int
    stage: str
    reason: str
    path: str
    expected: str
    found: str
    example: int


class NotPatched(BaseModel):
    """Events that a patch could not be applied to."""

    why: str
    events: int


class FixExample(BaseModel):
    """One event before and after a patch; headers where it changes them."""

    id: int
    before: str | None
    after: str | None
    then: str | None
    headers_before: list[Header] | None = None
    headers_after: list[Header] | None = None


class FixReport(BaseModel):
    """What came of a patch, or would."""

    group: Group
    dry_run: bool
    events: int
    accepted: int
    failing: int
    still_refused: list[StillRefused]
    not_patched: list[NotPatched]
    examples: list[FixExample]


class ReplayRequest(BaseModel, extra="forbid"):
    """What to replay: a group, single events, or without either everything that nobody has settled."""

    group: Group | None = None
    ids: list[EntryId] | None = Field(None, min_length=1, max_length=MOST_NAMED)
    again: bool = Field(
        False,  # noqa: FBT003 - what pydantic calls it
        description="Send also what was sent before and was not read yet.",
    )


class ReplayProgress(BaseModel):
    """How far a replay came: of those sent, how many wait, are accepted, were refused again."""

    id: int
    requested_by: str
    requested_at: datetime
    state: str
    total: int
    sent: int
    still_bad: int
    ended_at: datetime | None
    waiting: int
    accepted: int
    refused: int


class DiscardRequest(BaseModel, extra="forbid"):
    """What to discard, a group or single events, and why."""

    group: Group | None = None
    ids: list[EntryId] | None = Field(None, min_length=1, max_length=MOST_NAMED)
    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


class Discarded(BaseModel):
    """How many events were discarded."""

    discarded: int
