"""A campaign: what is written to whom, on which occasion, and for which purpose."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from services.engagement.domain.templates import Template
from shared.contracts.segments import Change

FIRST_STEP = "1"
DEFAULT_EXPIRY = timedelta(days=3)


class Channel(StrEnum):
    """The ways to reach somebody."""

    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Trigger:
    """What sets a campaign off: somebody enters a segment.

    `on_merge` says that it counts, too, when somebody is in only by a merge of two customers, or by its undoing.
    """

    segment: str
    on: Change
    on_merge: bool = False


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail is from: an ASCII address, and a name to show."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        """Return the part behind the @: our Message-IDs end in it."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Letter:
    """The templates of one mail; without `html` it is plain text alone."""

    sender: Sender
    subject: Template
    text: Template
    html: Template | None


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign. A message that could not be sent within `expires_after` is not sent at all."""

    name: str
    trigger: Trigger
    channel: Channel
    purpose: str
    letter: Letter
    expires_after: timedelta = DEFAULT_EXPIRY
