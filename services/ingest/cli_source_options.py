"""Options of `rapport ingest sources`, and what their words mean for a source."""

import zoneinfo
from datetime import timedelta
from typing import Annotated, Any

import phonenumbers
import typer

from services.ingest.domain.registration import Kind, nearest
from shared.runtime.console import fail

NONE = "none"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_GRACE = timedelta(days=365)
_MOST_DIGITS = 9

StrictOption = Annotated[
    bool | None,
    typer.Option("--strict/--open", help="Refuse event names that are not in the catalogue, or keep them as they are."),
]
KindOption = Annotated[Kind | None, typer.Option(help="What it is; for people only.")]
RateOption = Annotated[int | None, typer.Option(min=0, max=1_000_000, help="Events a second; 0 is without a bound.")]
BurstOption = Annotated[
    int | None, typer.Option(min=0, max=10_000_000, help="Events at once; 0 leaves it to the gateway.")
]
RegionOption = Annotated[
    str | None,
    typer.Option(help="Country of phone numbers without a country code (ISO 3166, such as DE), or `none`."),
]
ZoneOption = Annotated[
    str | None, typer.Option(help="Time zone of its people (IANA, such as Europe/Berlin), or `none`.")
]


def changes_of(*, rate: int | None, burst: int | None, region: str | None, zone: str | None) -> dict[str, Any]:
    """Read the columns that these options set; 0 and `none` empty one, and a word that is wrong ends the command."""
    changes: dict[str, Any] = {}
    if rate is not None:
        changes["rate"] = rate or None
    if burst is not None:
        changes["burst"] = burst or None
    if region is not None:
        changes["region"] = None if region == NONE else _region(region)
    if zone is not None:
        changes["zone"] = None if zone == NONE else _zone(zone)
    return changes


def _region(text: str) -> str:
    known = phonenumbers.SUPPORTED_REGIONS
    if text.upper() not in known:
        fail(f"--region: expected a country of ISO 3166 such as DE, got {text!r}.")
    return text.upper()


def _zone(text: str) -> str:
    known = zoneinfo.available_timezones()
    if text not in known:
        fail(f"--zone: expected a time zone such as Europe/Berlin, got {text!r}.{did_you_mean(nearest(text, known))}")
    return text


def grace_of(text: str) -> timedelta:
    """Read a grace such as `24h`; a wrong one ends the command."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isascii() or not number.isdigit() or len(number) > _MOST_DIGITS:
        fail(f"--grace: expected a number and s, m, h or d, such as 24h, got {text!r}.")
    grace = timedelta(seconds=int(number) * _UNITS[unit])
    if grace > _LONGEST_GRACE:
        fail(f"--grace: expected at most {_LONGEST_GRACE.days}d, got {text!r}.")
    return grace


def did_you_mean(known: str | None) -> str:
    """Ask whether another word was meant, where there is one."""
    return "" if known is None else f" Did you mean {known}?"
