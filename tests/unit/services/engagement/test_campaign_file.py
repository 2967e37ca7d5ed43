"""Campaign files: what is right is read, and each thing that is wrong is told with its line, path and expectation."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.engagement.campaigns import WrongCampaignsError, load_campaigns, read_files
from services.engagement.domain.campaign import Campaign, Channel, Sender, Trigger
from services.engagement.domain.campaign_file import read_campaign
from shared.contracts.segments import Change
from tests.unit.services.engagement.records import SHIPPED, campaign

MINIMAL = b"""\
name: hello
trigger: {segment: new, on: entered}
channel: email
purpose: service
from: shop@example.com
subject: Hi
text: Hello
"""


def problems(content: bytes) -> list[str]:
    found = read_campaign(content)
    assert not isinstance(found, Campaign)
    return [str(problem.at("f.yaml")) for problem in found]


def test_a_minimal_campaign_is_read_with_defaults() -> None:
    found = campaign(MINIMAL)
    assert (found.name, found.channel, found.purpose) == ("hello", Channel.EMAIL, "service")
    assert found.trigger == Trigger("new", Change.ENTERED)
    assert found.letter.sender == Sender("shop@example.com")
    assert found.letter.html is None
    assert found.expires_after == timedelta(days=3)


@pytest.mark.parametrize(("said", "meant"), [("true", True), ("false", False)])
def test_a_campaign_may_ask_for_entries_that_a_merge_made(said: str, *, meant: bool) -> None:
    found = campaign(MINIMAL.replace(b"on: entered}", f"on: entered, on_merge: {said}}}".encode()))
    assert found.trigger == Trigger("new", Change.ENTERED, on_merge=meant)


def test_the_shipped_folder_holds_the_campaign_of_the_demo() -> None:
    found = load_campaigns(SHIPPED.parent)["welcome-back"]
    assert found.trigger == Trigger("two-or-more", Change.ENTERED)
    assert (found.channel, found.purpose) == (Channel.EMAIL, "marketing")
    assert found.letter.sender == Sender("shop@example.com", "The Shop")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("name: hello", "name: Hello World", "1: /name: expected lower-case letters, digits and single hyphens, got"),
        ("name: hello", "name: [a]", "1: /name: expected lower-case letters, digits and single hyphens, got a list"),
        ("name: hello\n", "", "1: /name: expected a value, got nothing"),
        ("on: entered", "on: left", "2: /trigger/on: expected entered, got 'left'"),
        ("{segment: new, on: entered}", "new", "2: /trigger: expected a mapping with segment, on, got 'new'"),
        ("segment: new", "segment: 7", "2: /trigger/segment: expected lower-case letters, digits and single hyphens"),
        ("on: entered}", "on: entered, on_merge: maybe}", "2: /trigger/on_merge: expected true or false, got 'maybe'"),
        ("on: entered}", "on: entered, on_merge: yes}", "2: /trigger/on_merge: expected true or false, got 'yes'"),
        ("on: entered}", "on: entered, on_merge: [true]}", "2: /trigger/on_merge: expected true or false, got a list"),
        ("on: entered}", "on: entered, on-merge: true}", "2: /trigger/on-merge: expected one of segment, on, on_merge"),
        ("channel: email", "channel: pigeon", "3: /channel: expected email, got 'pigeon'"),
        ("shop@example.com", "nobody", '5: /from: expected an address, say "The Shop <shop@example.com>", got'),
        ("shop@example.com", "'A <a@b.cd>, b@c.de'", "5: /from: expected an address"),
        ("subject: Hi", "subject: '{{ x'", "6: /subject: expected a Liquid template, got line 1: expected '}}'"),
        ("subject: Hi", "subject: |\n  a\n  b", "6: /subject: expected one line, got 2 lines"),
        ("subject: Hi", "subject: ' '", "6: /subject: expected a Liquid template, got ' '"),
        ("text: Hello", "text: '{% include x %}'", "7: /text: expected a Liquid template, got line 1: unexpected tag"),
        ("text: Hello", "text: Hello\nhmtl: x", "8: /hmtl: expected one of name, trigger,"),
        ("text: Hello", "text: Hello\ntext: x", "8: /text: expected each key once, got text twice"),
        ("text: Hello", "text: Hello\nexpires_after: 3", "8: /expires_after: expected a duration, say 3 days, got '3'"),
        ("text: Hello", "text: Hello\nexpires_after: 0 days", "8: /expires_after: expected a duration, say 3 days"),
        ("text: Hello", "text: Hello: again", "7: /: expected YAML, got mapping values are not allowed here"),
    ],
)
def test_each_mistake_is_told_with_its_line_path_and_expectation(old: str, new: str, problem: str) -> None:
    (found,) = problems(MINIMAL.decode().replace(old, new, 1).encode())
    assert found.startswith(f"f.yaml:{problem}")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "f.yaml:1: /: expected a campaign, got an empty file"),
        (
            b"- a",
            "f.yaml:1: /: expected a mapping with name, trigger, channel, purpose, from, subject, text, got a list",
        ),
        (b"a: b\n\xff", "f.yaml:2: /: expected UTF-8, got byte 0xff"),
        (b"a: &a [*a]", "f.yaml:1: /a: expected one of name, trigger, channel, purpose, from, subject, text, html,"),
        (b"[" * 5000, "f.yaml:1: /: expected YAML"),
        (b"x" * 1_000_001, "f.yaml:1: /: expected at most 1000000 bytes, got 1000001 bytes"),
        (b"a: 1\n---\nb: 2", "f.yaml:2: /: expected YAML, got but found another document"),
    ],
)
def test_what_is_no_campaign_at_all_is_told_too(content: bytes, problem: str) -> None:
    assert problems(content)[0].startswith(problem)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    found = problems(b"name: A\nchannel: fax\nfrom: x")
    assert [line.split(":")[1] for line in found] == sorted(line.split(":")[1] for line in found)
    assert len(found) == 7


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_end_in_an_error(content: bytes) -> None:
    found = read_campaign(content)
    assert isinstance(found, Campaign) or all("expected" in str(problem.at("f.yaml")) for problem in found)


def test_a_folder_tells_the_problems_of_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(MINIMAL)
    (tmp_path / "b.yaml").write_bytes(MINIMAL)
    (tmp_path / "c.yaml").write_bytes(MINIMAL.replace(b"email", b"fax"))
    with pytest.raises(WrongCampaignsError) as caught:
        load_campaigns(tmp_path)
    same, channel = str(caught.value).splitlines()
    assert same.endswith(f"b.yaml:1: /name: expected a name of its own, got 'hello', the name in {tmp_path}/a.yaml")
    assert channel.endswith("c.yaml:3: /channel: expected email, got 'fax'")


def test_a_folder_or_file_that_is_not_there_is_told_as_a_problem(tmp_path: Path) -> None:
    with pytest.raises(WrongCampaignsError, match="CRM_ENGAGEMENT_CAMPAIGNS_DIR"):
        load_campaigns(tmp_path / "none")
    found, said = read_files([tmp_path / "none.yaml", tmp_path])
    assert found == {}
    assert [fault.found for fault in said] == ["No such file or directory", "Is a directory"]
