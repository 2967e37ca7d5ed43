"""Languages, countries and time zones as their registries spell them; what no registry knows is nothing."""

import re
from collections.abc import Mapping
from functools import lru_cache
from zoneinfo import available_timezones

from babel import Locale
from babel.core import parse_locale

LONGEST = 64
"""Characters that are looked at."""

_MORE = re.compile(r"-[a-z0-9]-|[.@]", re.IGNORECASE | re.ASCII)
_COUNTRY = 2


def locale_of(text: str) -> str | None:
    """Write a locale as BCP 47 does, for example `de-AT`; POSIX's `de_AT.UTF-8` is understood.

    Language, script and region must be known to CLDR; variants and extensions are left out.
    """
    return _locale_of(text) if len(text) <= LONGEST else None


def zone_of(text: str) -> str | None:
    """Write a time zone as the IANA database does, for example `Europe/Vienna`, from any case."""
    return _zones().get(text.lower()) if len(text) <= LONGEST else None


def country_of(text: str) -> str | None:
    """Write a country as ISO 3166 does, for example `AT`, from its code or its English name."""
    return _countries().get(text.strip().lower()) if len(text) <= LONGEST else None


def country_of_locale(locale: str | None) -> str | None:
    """Return the country of a locale that `locale_of` wrote, if it names one."""
    last = (locale or "").rpartition("-")[2]
    return last if len(last) == _COUNTRY and last.isupper() else None


@lru_cache(maxsize=4096)
def _locale_of(text: str) -> str | None:
    plain = _MORE.split(text.strip().replace("_", "-"), maxsplit=1)[0]
    try:
        language, territory, script, *_ = parse_locale(plain, sep="-")
    except ValueError:
        return None
    names = Locale("en")
    if language not in names.languages:
        return None
    if (script and script not in names.scripts) or (territory and territory not in names.territories):
        return None
    return "-".join(part for part in (language, script, territory) if part)


@lru_cache(maxsize=1)
def _zones() -> Mapping[str, str]:
    return {name.lower(): name for name in available_timezones()}


@lru_cache(maxsize=1)
def _countries() -> Mapping[str, str]:
    territories = Locale("en").territories
    countries = {code: name for code, name in territories.items() if len(code) == _COUNTRY and code.isalpha()}
    return {name.lower(): code for code, name in countries.items()} | {code.lower(): code for code in countries}
