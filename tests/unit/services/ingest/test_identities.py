"""Who an event is about, beyond its ids: addresses, numbers, devices, and ids of other systems."""

from dataclasses import replace
from typing import Any

import pytest

from services.ingest.domain.circumstances import MOST_EXTERNAL_IDS
from services.ingest.domain.identities import Identities
from services.ingest.domain.reading import Reader, read
from services.ingest.domain.sources import Source
from shared.contracts.identities import strength
from shared.contracts.interactions import Interaction
from tests.unit.services.ingest.records import accepted, identities, payload, problem, raw, track, verdict

SHOP = Source("web-shop", "server")
VIENNA = "+43158858123"


def call(**fields: Any) -> dict[str, Any]:
    """Make a call that names nobody of itself."""
    return {"type": "track", "event": "Any", "messageId": "m-1", **fields}


def identify(**traits: Any) -> dict[str, Any]:
    return {"type": "identify", "messageId": "m-1", "traits": traits}


def external(**changes: Any) -> dict[str, Any]:
    return call(context={"externalIds": [{"id": "x-9", "type": "shop", "collection": "users"} | changes]})


def of_region(region: str | None, value: Any) -> Interaction:
    source = replace(SHOP, region=region)
    reader = Reader(Identities(b"a secret of the tests"), lambda _name: source)
    (found,) = read(raw(value, [("source", b"web-shop")]), reader)
    assert isinstance(found, Interaction), found
    return found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (identify(email="Eva@Example.COM"), ("email", "eva@example.com")),
        (call(context={"traits": {"email": "eva@example.com"}}), ("email", "eva@example.com")),
        (call(event="Lead Created", properties={"email": "eva@example.com"}), ("email", "eva@example.com")),
        (
            call(event="Order Completed", properties={"total": 5, "email": "eva@example.com"}),
            ("email", "eva@example.com"),
        ),
        (call(event="Checkout Started", properties={"phone": VIENNA}), ("phone", VIENNA)),
        (call(event="Unsubscribed", properties={"email": "eva@example.com"}), ("email", "eva@example.com")),
        (identify(phone="+43 1 58858-123"), ("phone", VIENNA)),
        (identify(phone=43158858123), None),
        (call(context={"traits": {"phone": VIENNA}}), ("phone", VIENNA)),
        (call(event="Signed Up", properties={"phone": VIENNA}), ("phone", VIENNA)),
        (identify(crm_id=77), ("crm_id", "77")),
        (identify(crmId="c-7"), ("crm_id", "c-7")),
        (call(context={"traits": {"crm_id": "c-7"}}), ("crm_id", "c-7")),
        (call(event="Lead Qualified", properties={"crmId": "c-7"}), ("crm_id", "c-7")),
        (call(context={"device": {"type": "ios", "id": "B5372DB0"}}), ("ios.id", "B5372DB0")),
        (call(context={"device": {"type": "Android", "id": "9774d56d"}}), ("android.id", "9774d56d")),
        (call(context={"device": {"type": "fridge", "id": "f-1"}}), None),
        (call(context={"device": "ios"}), None),
        (external(), ("shop", "x-9")),
        (external(collection=None, encoding="none"), ("shop", "x-9")),
        (external(type="email", id="EVA@example.com"), ("email", "eva@example.com")),
        (external(type="user_id", id="u-5"), ("user_id", "u-5")),
        (external(id=9), ("shop", "9")),
        (external(collection="accounts"), None),
        (external(encoding="base64"), None),
        (external(type=""), None),
        (external(type="a\nb"), None),
        (external(type="t" * 101), None),
        (external(type=7), None),
        (external(id=True), None),
        (external(id={}), None),
        (call(context={"externalIds": {"id": "x-9", "type": "shop"}}), None),
        (call(context={"externalIds": ["x-9"]}), None),
        # What is told of somebody else, or of a company, names nobody.
        (call(event="Referral Made", properties={"email": "eva@example.com"}), None),
        (call(event="Referral Made", properties={"referred_email": "eva@example.com"}), None),
        ({"type": "group", "groupId": "g-1", "traits": {"email": "office@example.com", "phone": VIENNA}}, None),
        (call(properties={"email": "eva@example.com"}), None),
    ],
)
def test_an_event_may_be_known_by_any_identifier_alone(value: Any, expected: tuple[str, str] | None) -> None:
    if expected is None:
        assert verdict(value)[:2] in (("identity", "no_identity"), ("identity", "not_a_phone"))
    else:
        assert identities(accepted(value)) == [expected]


def test_every_identity_of_an_event_is_told_once_and_the_strongest_first() -> None:
    value = identify(email="eva@example.com", phone=VIENNA, crm_id="c-7") | {
        "userId": "u-17",
        "anonymousId": "an-7",
        "context": {
            "traits": {"email": "EVA@example.com", "phone": "+43 1 58858123"},
            "device": {"type": "ios", "id": "B5372DB0"},
            "externalIds": [{"id": "x-9", "type": "shop"}, {"id": "u-99", "type": "user_id"}],
        },
    }
    found = accepted(value)
    assert identities(found) == [
        ("user_id", "u-17"),
        ("email", "eva@example.com"),
        ("anonymous_id", "an-7"),
        ("crm_id", "c-7"),
        ("ios.id", "B5372DB0"),
        ("phone", VIENNA),
        ("shop", "x-9"),
    ]
    assert list(found.identities) == sorted(found.identities, key=strength)


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_null_empty_and_absent_identifiers_are_one(nothing: Any) -> None:
    value = identify(email=nothing, phone=nothing, crm_id=nothing) | {"userId": "u-17"}
    assert identities(accepted(value)) == [("user_id", "u-17")]
    assert verdict(identify(email=nothing)) == ("identity", "no_identity", "/userId")


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        ({"email": "eva@example"}, ("identity", "not_an_email", "/traits/email")),
        ({"email": "eva example.com"}, ("identity", "not_an_email", "/traits/email")),
        ({"email": "e" * 256 + "@example.com"}, ("limits", "too_long", "/traits/email")),
        ({"email": "eva@example.com\u0007"}, ("identity", "bad_character", "/traits/email")),
        ({"phone": "+43 1"}, ("identity", "not_a_phone", "/traits/phone")),
        ({"phone": "call me"}, ("identity", "not_a_phone", "/traits/phone")),
    ],
)
def test_what_cannot_be_read_costs_an_identity_and_only_the_last_one_the_event(
    traits: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    kept = accepted(identify(**traits) | {"userId": "u-17"})
    assert identities(kept) == [("user_id", "u-17")]
    assert payload(kept) == {"traits": traits}
    assert verdict(identify(**traits)) == expected
    assert not any(str(value) in repr(problem(identify(**traits))) for value in traits.values())


@pytest.mark.parametrize(
    ("traits", "path"),
    [
        ({"email": 5}, "/traits/email"),
        ({"email": True}, "/traits/email"),
        ({"email": ["eva@example.com"]}, "/traits/email"),
        ({"phone": 5.5}, "/traits/phone"),
        ({"phone": {}}, "/traits/phone"),
        ({"phone": False}, "/traits/phone"),
        ({"crm_id": []}, "/traits/crm_id"),
    ],
)
def test_a_trait_that_names_a_person_has_the_type_of_an_identifier(traits: dict[str, Any], path: str) -> None:
    assert verdict(identify(**traits) | {"userId": "u-17"}) == ("payload", "wrong_type", path)
    assert identities(accepted(call(userId="u-17", context={"traits": traits}))) == [("user_id", "u-17")]


def test_the_trait_keeps_what_was_sent() -> None:
    assert payload(accepted(identify(email=" Eva@Example.COM "))) == {"traits": {"email": " Eva@Example.COM "}}


@pytest.mark.parametrize(
    ("region", "context", "expected"),
    [
        ("AT", {}, VIENNA),
        ("AT", {"locale": "en-US"}, VIENNA),
        (None, {"locale": "de-AT"}, VIENNA),
        (None, {"locale": "en-US", "traits": {"address": {"country": "AT"}}}, VIENNA),
        (None, {"traits": {"address": {"country": "Austria"}}}, VIENNA),
        (None, {"locale": "de"}, None),
        (None, {"traits": {"address": {"country": "Atlantis"}}}, None),
        ("DE", {}, "+49158858123"),
    ],
)
def test_a_number_without_a_country_is_read_where_its_source_is_else_where_the_event_is(
    region: str | None, context: dict[str, Any], expected: str | None
) -> None:
    value = identify(phone="01 58858123") | {"userId": "u-17", "context": context}
    told = [] if expected is None or region == "DE" else [("phone", expected)]
    assert identities(of_region(region, value)) == [("user_id", "u-17"), *told]


def test_the_address_among_the_traits_tells_the_country_before_the_locale() -> None:
    value = identify(phone="01 58858123", address={"country": "at"}) | {"context": {"locale": "en-US"}}
    assert identities(of_region(None, value)) == [("phone", VIENNA)]


def test_an_event_about_somebody_of_a_test_names_nobody() -> None:
    assert verdict(identify(email="test@shop.at")) == ("identity", "no_identity", "/traits/email")
    assert problem(identify(email="test@shop.at")).found == "a value that stands for nobody"
    assert verdict(identify(phone="0000000000")) == ("identity", "no_identity", "/traits/phone")


def test_more_external_ids_than_anybody_has_are_refused() -> None:
    ids = [{"id": str(number), "type": "shop"} for number in range(1, MOST_EXTERNAL_IDS + 2)]
    expected = ("limits", "too_large", "/context/externalIds")
    assert verdict(track(context={"externalIds": ids})) == expected
    assert len(accepted(track(context={"externalIds": ids[1:]})).identities) == MOST_EXTERNAL_IDS + 1


def test_identities_that_a_setting_decides_have_no_part_in_the_hash() -> None:
    value = identify(phone="01 58858123") | {"userId": "u-17"}
    assert of_region(None, value).identities != of_region("AT", value).identities
    assert of_region(None, value).payload_hash == of_region("AT", value).payload_hash
    same = identify(phone=VIENNA)
    other = same | {"context": {"traits": {"email": "eva@example.com"}}}
    assert accepted(same).payload_hash != accepted(other).payload_hash
