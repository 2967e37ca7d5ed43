"""Rules are data: what ships is what the code takes for usual, and a mistake is named with its file and line."""

from pathlib import Path

import pytest

from services.profile.adapters.rule_files import WrongRulesError, identity_rules, lifecycle_stages
from services.profile.domain.identity_rules import OTHERS, DeviceFollows, IdentityRules
from services.profile.domain.lifecycle import USUAL, Stage
from shared.contracts.customers import Lifecycle
from shared.contracts.identities import PRIORITY

CONFIG = Path(__file__).parents[4] / "config"


def written(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(text, "utf-8")
    return path


def test_the_identity_rules_that_ship_are_the_usual_ones() -> None:
    shipped, usual = identity_rules(CONFIG / "identity.yaml"), IdentityRules()
    assert (shipped.priority, dict(shipped.limits), shipped.most_partners) == (
        usual.priority,
        dict(usual.limits),
        usual.most_partners,
    )
    assert (shipped.devices, shipped.device_follows) == (usual.devices, usual.device_follows)
    assert shipped.priority == tuple(PRIORITY)


def test_a_blocked_value_is_blocked_for_its_kind_in_any_letter_case() -> None:
    rules = identity_rules(CONFIG / "identity.yaml")
    assert rules.blocks("user_id", "Admin")
    assert not rules.blocks("user_id", "u-17")
    assert not rules.blocks("email", "admin")


def test_what_a_file_does_not_say_stays_usual_and_what_it_says_holds(tmp_path: Path) -> None:
    text = "limits: {phone: 2}\ndevice_follows: visit\nblocked: {others: [X], email: [a@b.example]}"
    rules = identity_rules(written(tmp_path, text))
    assert [rules.limit(kind) for kind in ("user_id", "phone", "email", "crm_id")] == [1, 2, 5, 5]
    assert rules.device_follows is DeviceFollows.VISIT
    assert [rules.blocks("phone", "x"), rules.blocks("email", "x"), rules.blocks("email", "A@B.example")] == [True] * 3
    assert sorted(["phone", "email", "crm_id", "user_id"], key=rules.rank) == ["user_id", "email", "crm_id", "phone"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- a list", "1: definition: expected a mapping, got a list"),
        ("limits:\n  email: many", "2: limits.email: expected a whole number from 1 to 100,000, got 'many'"),
        ("limits: {user_id: 2}", "1: limits.user_id: expected 1, for it is the kind that signs in, got 2"),
        ("priority: []", "1: priority: expected at least one kind, got none"),
        ("\npriority: [a, a]", "2: priority[1]: expected each once, got 'a' again"),
        ("devices: phone", "1: devices: expected a list of texts, got 'phone'"),
        ("device_follows: first", "1: device_follows: expected one of last_signed_in, visit, got 'first'"),
        ("most_partners: 0", "1: most_partners: expected a whole number from 1 to 100,000, got 0"),
        ("blocked:\n  email:\n    - 7", "3: blocked.email[0]: expected a text, got 7"),
        ("limit: 3", "1: limit: expected one of priority, limits, most_partners, devices, device_follows, blocked"),
        ("limits: &a {}", "1: limits: expected values written out, got the anchor &a"),
        ("limits: {", "1: file: expected YAML"),
    ],
)
def test_a_mistake_in_the_identity_rules_is_named_with_file_and_line(tmp_path: Path, text: str, fault: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(WrongRulesError) as raised:
        identity_rules(path)
    assert f"{path}:{fault}" in str(raised.value)


def test_the_stages_that_ship_are_the_usual_ones() -> None:
    assert lifecycle_stages(CONFIG / "lifecycle.yaml") == USUAL


def test_stages_are_taken_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "stages:\n- {stage: opportunity, any: {visits: 3, identities.crm_id: 1}}\n- stage: lead"
    expected = (
        Stage(Lifecycle.OPPORTUNITY, {"visits": 3, "identities.crm_id": 1}),
        Stage(Lifecycle.LEAD, {}),
    )
    assert lifecycle_stages(written(tmp_path, text)) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: stages: expected a list of stages, got nothing"),
        ("stages: []", "1: stages: expected a list of stages, got an empty list"),
        ("stages:\n- lead", "2: stages[0]: expected a mapping with stage and any, got 'lead'"),
        ("stages:\n- stage: friend", "2: stages[0].stage: expected one of visitor, lead, qualified"),
        ("stages:\n- stage: lead\n- stage: visitor", "2: stages[0].any: expected a mapping of signs to numbers"),
        ("stages:\n- {stage: lead, any: {orders: 0}}\n- stage: visitor", "2: stages[0].any.orders: expected a whole"),
        ("stages:\n- {stage: lead, any: {sales: 1}}\n- stage: visitor", "2: stages[0].any.sales: expected orders, a"),
        ("stages:\n- {stage: lead, any: {orders: 1}}", "2: stages[0].any: expected no sign for the last stage"),
        ("stages:\n- {stage: lead, any: {leads: 1}}\n- stage: lead", "3: stages[1].stage: expected each stage once"),
        ("stages:\n- stage: lead\n  if: 1", "3: stages[0].if: expected stage or any, got 'if'"),
        ("stages:\n- stage: lead\nmore: 1", "3: more: expected stages and nothing else, got 'more'"),
        ("[", "1: file: expected YAML"),
    ],
)
def test_a_mistake_in_the_stages_is_named_with_file_and_line(tmp_path: Path, text: str, fault: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(WrongRulesError) as raised:
        lifecycle_stages(path)
    assert f"{path}:{fault}" in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongRulesError, match=r"gone\.yaml:1: file: expected a file that can be read, got no such"):
        identity_rules(tmp_path / "gone.yaml")


def test_every_kind_that_is_not_named_has_the_limit_of_the_others() -> None:
    assert IdentityRules(limits={OTHERS: 3}).limit("loyalty.card") == 3
