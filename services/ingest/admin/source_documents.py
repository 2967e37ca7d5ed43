"""What the admin API is told and tells about sources."""

import zoneinfo
from datetime import datetime
from typing import Annotated

import phonenumbers
from pydantic import AfterValidator, BaseModel, Field, model_validator

from services.ingest.domain.registration import LONGEST_NAME, NAME_RULE, Kind, is_name
from services.ingest.domain.sources import Strictness

LONGEST_GRACE_SECONDS = 365 * 86_400


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"expected {NAME_RULE}")
    return text


def _region(text: str) -> str:
    if text not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("expected a country of ISO 3166 such as DE")
    return text


def _zone(text: str) -> str:
    if text not in zoneinfo.available_timezones():
        raise ValueError("expected a time zone such as Europe/Berlin")
    return text


SourceName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, description=f"{NAME_RULE}.")]


class Source(BaseModel):
    """A source with how many of its keys are good."""

    name: str
    kind: str
    strictness: Strictness
    rate: int | None
    burst: int | None
    region: str | None
    zone: str | None
    paused_at: datetime | None
    paused_reason: str | None
    created_at: datetime
    active_keys: int
    last_used_at: datetime | None


class Sources(BaseModel):
    """All sources, by name."""

    sources: list[Source]


class SourceKey(BaseModel):
    """A key of a source, without its text, which is not kept."""

    id: str
    active: bool
    created_at: datetime
    ends_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class WholeSource(Source):
    """A source with its keys, and how many of its events wait in the quarantine because it is or was paused."""

    held: int
    keys: list[SourceKey]


class NewSource(BaseModel, extra="forbid"):
    """A source to be added."""

    name: Annotated[SourceName, AfterValidator(_name)]
    kind: Kind = Kind.SERVER
    strictness: Strictness = Strictness.OPEN
    rate: int | None = Field(None, ge=1, le=1_000_000, description="Events a second.")
    burst: int | None = Field(None, ge=1, le=10_000_000, description="Events at once.")
    region: Annotated[str, AfterValidator(_region)] | None = Field(None, description="ISO 3166, such as DE.")
    zone: Annotated[str, AfterValidator(_zone)] | None = Field(None, description="IANA, such as Europe/Berlin.")

    @model_validator(mode="after")
    def _bounded_to_burst(self) -> "NewSource":
        if self.burst is not None and self.rate is None:
            raise ValueError("expected a rate beside the burst, for there is nothing to exceed without one")
        return self


class NamedSource(BaseModel, extra="forbid"):
    """A source, by name."""

    name: SourceName


class RotateRequest(NamedSource):
    """A source that gets another key, and how long those in use stay good."""

    grace_seconds: int = Field(86_400, ge=0, le=LONGEST_GRACE_SECONDS)


class RevokeRequest(BaseModel, extra="forbid"):
    """A key that is to be refused from now on."""

    key_id: str = Field(pattern="^[a-z0-9]{8}$")


class NewKey(BaseModel):
    """A new write key: the only time that anybody sees it."""

    name: str
    key_id: str
    key: str
    ending: list[str] = Field(default=[], description="Keys that end now.")
    ends_at: datetime | None = None


class Revoked(BaseModel):
    """What revoking a key came to; `was_revoked_at` tells of an earlier time."""

    key_id: str
    source: str
    was_revoked_at: datetime | None
    active_keys: list[str]


class Paused(BaseModel):
    """How a source stood before; its events wait in the quarantine while it is paused."""

    name: str
    was_paused_at: datetime | None
    was_paused_reason: str | None


class Resumed(Paused):
    """How a source stood before, and what waits, by group of the quarantine: replay these."""

    held: int
    groups: dict[str, int]
