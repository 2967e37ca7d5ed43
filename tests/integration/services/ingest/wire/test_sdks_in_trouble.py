"""Real SDKs when the gateway cannot answer: what they send again is known again, and nothing is lost."""

from collections.abc import Sequence

import pytest

from tests.integration.services.ingest.wire.bad_network import (
    CutTheAnswer,
    CutTheRequest,
    Fault,
    Refuse,
    bad_network,
)
from tests.integration.services.ingest.wire.conftest import Wire
from tests.integration.services.ingest.wire.sdks import Sdk, all_sdks, ended, story_for
from tests.integration.services.ingest.wire.stories import check_story

STUBBORN = [sdk for sdk in all_sdks() if sdk.sends_again]
TROUBLE: dict[str, Sequence[Fault]] = {
    "unavailable": (Refuse(503), Refuse(503, retry_after=1)),
    "too fast": (Refuse(429, retry_after=1),),
    "cut": (CutTheRequest(), CutTheAnswer()),
}


@pytest.mark.parametrize("trouble", TROUBLE)
@pytest.mark.parametrize("sdk", STUBBORN, ids=lambda sdk: sdk.name)
def test_an_sdk_that_is_told_to_wait_or_told_nothing_sends_again_and_nothing_is_lost(
    wire: Wire, sdk: Sdk, trouble: str
) -> None:
    story = story_for(sdk)
    wire.topic.mark()
    with bad_network(wire.gateway.port, TROUBLE[trouble]) as network:
        said = sdk.send(network.address, wire.key, story.calls)
    assert network.done == len(TROUBLE[trouble])
    assert set(network.statuses) == {200}
    assert network.faults[-1] != CutTheAnswer() or len(wire.topic.readings()) > len(story.expected)
    check_story(wire.topic, said, story.expected, once=CutTheAnswer() not in TROUBLE[trouble])


@pytest.mark.parametrize("sdk", STUBBORN, ids=lambda sdk: sdk.name)
def test_a_gateway_killed_between_kafkas_word_and_its_own_costs_an_sdk_nothing(wire: Wire, sdk: Sdk) -> None:
    wire.gateway.end()
    wire.gateway.start("ingest-gateway.after_publish=kill@1")
    story = story_for(sdk)
    wire.topic.mark()
    program = sdk.begin(wire.gateway.address, wire.key, story.calls)
    try:
        wire.gateway.wait_killed()
        written = len(wire.topic.readings())
    finally:
        wire.gateway.start()
        said = ended(program)
    assert written > 0
    assert len(wire.topic.readings()) == len(story.expected) + written
    check_story(wire.topic, said, story.expected, once=False)
