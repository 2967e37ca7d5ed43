"""The registry of topics keeps its own rules."""

import re

import pytest

from shared.contracts import topics
from shared.contracts.customers import CustomerRecord, CustomerRedirect
from shared.contracts.topics import REGISTRY, Kind, Topic, topic

SERVICES = {"ingest", "profile", "segmenter", "engagement", "metrics"}
NAME = re.compile(r"crm\.[a-z]+(-[a-z]+)*s\.v[1-9][0-9]*|crm\.outreach\.v1")
EACH = pytest.mark.parametrize("one", REGISTRY, ids=lambda one: one.name)


@EACH
def test_a_name_is_crm_a_plural_in_kebabs_and_a_major_version(one: Topic) -> None:
    assert NAME.fullmatch(one.name.removesuffix(".dlq"))


@EACH
def test_a_topic_says_who_writes_it_and_who_reads_it(one: Topic) -> None:
    assert one.producers
    assert set(one.producers) <= SERVICES | {"anybody"}
    assert set(one.consumers) <= SERVICES
    assert len(set(one.consumers)) == len(one.consumers)
    assert one.key


@EACH
def test_a_topic_keeps_the_last_of_each_key_or_says_for_how_long(one: Topic) -> None:
    config = one.config()
    assert one.retention_days > 0
    if one.kind is Kind.STATE:
        assert config["cleanup.policy"] == "compact"
        assert "retention.ms" not in config
        assert int(config["segment.ms"]) <= int(config["max.compaction.lag.ms"])
    else:
        assert config["cleanup.policy"] == "delete"
        assert int(config["retention.ms"]) == one.retention_days * 24 * 60 * 60 * 1000


@EACH
def test_what_a_service_writes_is_typed_and_what_others_write_is_not(one: Topic) -> None:
    untyped = one.kind is Kind.RAW or one.name.endswith(".dlq")
    assert (one.payload is None) is untyped


@EACH
def test_a_typed_topic_names_its_types_and_the_major_version_of_each(one: Topic) -> None:
    assert bool(one.types) is (one.payload is not None)
    assert bool(one.tombstones) <= (one.kind is Kind.STATE)
    named = one.every_type
    assert len(set(named)) == len(named)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*\.[a-z]+ed\.v1", name) for name in named)


def test_a_type_tells_what_a_message_holds() -> None:
    told = [topics.CUSTOMERS.payload_of(kind) for kind in topics.CUSTOMERS.every_type]
    assert told == [CustomerRecord, CustomerRedirect, None]
    with pytest.raises(KeyError):
        topics.CUSTOMERS.payload_of("activity.recorded.v1")


@EACH
def test_a_dead_letter_topic_belongs_to_a_topic(one: Topic) -> None:
    if one.name.endswith(".dlq"):
        source = topic(one.name.removesuffix(".dlq"))
        assert source.dead_letter == one.name
        assert set(one.producers) == set(source.consumers)
        assert one.retention_days >= source.retention_days


def test_only_what_others_write_is_stamped_by_the_broker() -> None:
    stamped = [one.name for one in REGISTRY if one.config().get("message.timestamp.type") == "LogAppendTime"]
    assert stamped == ["crm.raw-events.v1"]


def test_the_registry_holds_every_topic_once() -> None:
    defined = [value for value in vars(topics).values() if isinstance(value, Topic)]
    assert sorted(one.name for one in defined) == sorted(one.name for one in REGISTRY)
    assert len({one.name for one in REGISTRY}) == len(REGISTRY)


def test_a_topic_is_found_by_its_name_or_not_at_all() -> None:
    assert topic("crm.outreach.v1") is topics.OUTREACH
    with pytest.raises(KeyError):
        topic("crm.outreach.v2")
