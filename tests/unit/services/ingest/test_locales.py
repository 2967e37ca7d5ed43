"""Languages, countries, zones and currencies are those of their registries; hints that no registry has are left out."""

from dataclasses import replace
from typing import Any

import pytest

from services.ingest.domain.identities import Identities
from services.ingest.domain.locales import country_of, country_of_locale, locale_of, zone_of
from services.ingest.domain.reading import Reader, read
from services.ingest.domain.sources import Source
from shared.contracts.interactions import Interaction
from tests.unit.services.ingest.records import accepted, context, order, payload, raw, track, verdict


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("de-AT", "de-AT"),
        ("de_at", "de-AT"),
        ("DE", "de"),
        ("de_AT.UTF-8", "de-AT"),
        ("de_AT@euro", "de-AT"),
        (" en-us ", "en-US"),
        ("de-US", "de-US"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("sr_Latn", "sr-Latn"),
        ("es-419", "es-419"),
        ("de-DE-u-co-phonebk", "de-DE"),
        ("en-US-posix", "en-US"),
        ("xx-AT", None),
        ("de-QQ", None),
        ("de-Qqqq", None),
        ("deutsch", None),
        ("", None),
        ("-", None),
        ("*", None),
        ("de-AT" * 20, None),
    ],
)
def test_a_locale_is_written_as_bcp_47_has_it(text: str, expected: str | None) -> None:
    assert locale_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Europe/Vienna", "Europe/Vienna"),
        ("europe/vienna", "Europe/Vienna"),
        ("UTC", "UTC"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Mars/Olympus", None),
        ("../../etc/passwd", None),
        ("+01:00", None),
        ("", None),
        ("Europe/Vienna" * 9, None),
    ],
)
def test_a_zone_is_written_as_iana_has_it(text: str, expected: str | None) -> None:
    assert zone_of(text) == expected


def test_a_country_is_known_by_code_and_by_name() -> None:
    assert [country_of(text) for text in ("AT", " at ", "Austria", "AUT", "419", "", "x" * 65)] == [
        *("AT", "AT", "AT", None, None, None, None)
    ]
    assert [country_of_locale(text) for text in ("de-AT", "zh-Hant-TW", "de", "sr-Latn", "es-419", None)] == [
        *("AT", "TW", None, None, None, None)
    ]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"locale": "de_at", "timezone": "europe/vienna"}, {"locale": "de-AT", "timezone": "Europe/Vienna"}),
        ({"locale": "klingon", "timezone": "Mars/Olympus", "app": 1}, {"app": 1}),
        ({"locale": "", "timezone": ""}, {}),
        ({"locale": None, "timezone": None}, {}),
    ],
)
def test_hints_of_the_context_are_spelt_one_way_or_left_out(said: dict[str, Any], kept: dict[str, Any]) -> None:
    assert context(accepted(track(context=said))) == kept


@pytest.mark.parametrize("name", ["locale", "timezone"])
@pytest.mark.parametrize("value", [5, True, {}, ["de"]])
def test_a_hint_of_another_type_is_refused(name: str, value: Any) -> None:
    assert verdict(track(context={name: value})) == ("envelope", "wrong_type", f"/context/{name}")


@pytest.mark.parametrize(
    ("said", "zone"),
    [
        ({}, "Europe/Vienna"),
        ({"context": None}, "Europe/Vienna"),
        ({"context": {"timezone": None}}, "Europe/Vienna"),
        ({"context": {"timezone": "Mars/Olympus"}}, "Europe/Vienna"),
        ({"context": {"timezone": "Asia/Tokyo"}}, "Asia/Tokyo"),
    ],
)
def test_the_zone_of_a_source_holds_where_the_event_names_none(said: dict[str, Any], zone: str) -> None:
    source = replace(Source("web-shop", "server"), zone="Europe/Vienna")
    reader = Reader(Identities(b"a secret of the tests"), lambda _name: source)
    (found,) = read(raw(track(**said), [("source", b"web-shop")]), reader)
    assert isinstance(found, Interaction)
    assert context(found) == {"timezone": zone}


@pytest.mark.parametrize(
    ("code", "known"),
    [("EUR", "EUR"), ("eur", "EUR"), ("JPY", "JPY"), ("DEM", "DEM"), ("ABC", None), ("XXX", None), ("XTS", None)],
)
def test_a_currency_is_one_that_there_is_or_was(code: str, known: str | None) -> None:
    value = order(total=1, currency=code)
    if known is None:
        assert verdict(value) == ("payload", "not_a_currency", "/properties/currency")
    else:
        assert payload(accepted(value))["total"] == {"amount": "1", "currency": known}
