import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.segmenter.adapters.definition_files import WrongDefinitionsError, read_files, read_folder
from services.segmenter.cli import app
from services.segmenter.domain.definitions import FaultyDefinitionsError, read

BAD = Path("tests/bad")
ROOT = Path(__file__).parents[4]

WINDOW = "expected a whole number and a unit (seconds, minutes, hours, days or weeks), for example 30 days"
PART = "expected a mapping with one of the keys all, any, not, field, count"
TIME = "a time such as 2026-01-31 or 2026-01-31T09:30:00Z"
FIELDS = (
    "traits.<name>, orders.count, orders.revenue.<currency>, orders.first_at, orders.last_at, "
    "consent.<purpose>/<channel>, lifecycle, first_at or last_at"
)

MESSAGES = {
    "alias-bomb.yaml": ["2: a: expected values written out, got the anchor &a"],
    "alias.yaml": ["4: rule.all[0]: expected values written out, got the anchor &orders"],
    "broken.yaml": [
        "5: file: expected YAML, got while parsing a flow mapping expected ',' or '}', but got '<stream end>'"
    ],
    "deep.yaml": ["27: rule.not.not.not: expected at most 24 levels, got more"],
    "duplicate-key.yaml": ["7: rule.value: expected each key once, got it a second time"],
    "durations.yaml": [
        f"6: rule.any[0].within: {WINDOW}, got '3 fortnights'",
        "10: rule.any[1].within: expected between 1 second and 400 days, got '401 days'",
    ],
    "empty-lists.yaml": [
        "4: rule.all[0].any: expected a list of one rule or more, got an empty list",
        "7: rule.all[1].value: expected a list of one value or more, got an empty list",
    ],
    "empty.yaml": ["1: definition: expected a mapping with segment and rule, got nothing"],
    "fields.yaml": [
        f"4: rule.all[0].field: expected {FIELDS}, got 'order.count'",
        "9: rule.all[1].value: expected one of visitor, lead, qualified, opportunity, customer, got 'prospect'",
        "12: rule.all[2].value: expected ==, !=, in or exists as the operator of this field, got 'given'",
    ],
    "list.yaml": ["1: definition: expected a mapping with segment and rule, got a list"],
    "missing.yaml": [
        "1: rule.operator: expected an operator, got nothing",
        "1: rule.value: expected a value, got nothing",
        "1: segment: expected the segment's name, got nothing",
    ],
    "name.yaml": [
        (
            "1: segment: expected a name of up to 63 lower-case letters, digits and hyphens that starts with a letter, "
            "got 'Two Or More!'"
        )
    ],
    "operators.yaml": [
        "5: rule.all[0].operator: expected one of ==, !=, <, <=, >, >= (in quotes), got '=>'",
        "9: rule.all[1].value: expected no value beside exists, got 'yes'",
        "11: rule.all[2].operator: expected one of ==, !=, <, <=, >, >=, in, exists (in quotes), got 'contains'",
    ],
    "same-name-1.yaml": [],
    "same-name-2.yaml": [
        "2: segment: expected a name of its own, got 'same-name', which tests/bad/same-name-1.yaml has"
    ],
    "tag.yaml": ["2: rule: expected no tag, got 'tag:yaml.org,2002:python/object/apply:o…'"],
    "two-documents.yaml": ["3: file: expected one document, got another one"],
    "types.yaml": [
        "4: rule.all[0].count: expected a text of 1 to 200 printable characters, got 7",
        f"5: rule.all[0].within: {WINDOW}, got 30",
        "7: rule.all[0].value: expected a whole number from 0 to 1000000000000, got '2'",
        "10: rule.all[1].value: expected a number, got 'lots'",
        f"13: rule.all[2].value: expected {TIME}, got 'yesterday'",
        f"16: rule.all[3].value: expected a number or {TIME}, got true",
        f"17: rule.all[4].not: {PART}, got 'often'",
    ],
    "unknown-keys.yaml": [
        "2: descripton: expected one of segment, description, rule, got the unknown key 'descripton'",
        "5: rule.in: expected one of count, within, operator, value, got the unknown key 'in'",
    ],
    "unquoted.yaml": [
        (
            "4: file: expected YAML, got while scanning a block scalar expected chomping or indentation indicators, "
            "but found '='"
        )
    ],
    "utf-16.yaml": ["1: file: expected UTF-8 text, got the byte 0xff"],
}


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_each_bad_file_has_its_messages_here() -> None:
    assert sorted(path.name for path in BAD.glob("*.yaml")) == sorted(MESSAGES)
    assert len(MESSAGES) >= 12


def test_each_fault_of_each_file_is_named_with_its_line_and_path() -> None:
    with pytest.raises(FaultyDefinitionsError) as faulty:
        read_files(sorted(BAD.glob("*.yaml")))
    expected = [f"tests/bad/{name}:{message}" for name, messages in sorted(MESSAGES.items()) for message in messages]
    assert [str(fault) for fault in faulty.value.faults] == expected


def test_validate_prints_every_fault_on_standard_error_and_exits_with_2() -> None:
    run = CliRunner().invoke(app, ["validate", *map(str, sorted(BAD.glob("*.yaml")))])
    assert run.exit_code == 2
    expected = [f"tests/bad/{name}:{message}" for name, messages in sorted(MESSAGES.items()) for message in messages]
    assert run.stderr.splitlines() == expected
    assert run.stdout == ""


def test_validate_prints_one_document_for_programs() -> None:
    run = CliRunner().invoke(app, ["validate", "--json", "tests/bad/duplicate-key.yaml"])
    assert run.exit_code == 2
    fault = {"file": "tests/bad/duplicate-key.yaml", "line": 7, "path": "rule.value"}
    assert json.loads(run.stdout) == {
        "valid": False,
        "faults": [fault | {"expected": "each key once", "found": "it a second time"}],
    }


def test_the_definitions_that_we_ship_are_valid() -> None:
    run = CliRunner().invoke(app, ["validate", *map(str, Path("config/segments").glob("*.yaml")), "--json"])
    assert run.exit_code == 0
    assert json.loads(run.stdout) == {"valid": True, "segments": ["browsing-now", "ordered-30d", "two-or-more"]}


@pytest.mark.parametrize("name", ["no-such-file.yaml", "tests", "a\0b", "caf\udce9.yaml"])
def test_a_file_that_cannot_be_read_is_a_fault_like_others(name: str) -> None:
    with pytest.raises(FaultyDefinitionsError, match=r":1: file: expected a file that can be read, got "):
        read_files([Path(name)])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"segment: " + b"a" * 70_000, "f.yaml:1: file: expected at most 65536 bytes, got more"),
        (b'segment: "\\ud800"', "f.yaml:1: segment: expected whole characters, got half of a surrogate pair"),
        (b"segment: a\x07", "f.yaml:1: file: expected printable text, got the character U+0007"),
        (b"? [a]\n: b", "f.yaml:1: file: expected a text as key, got something else"),
        (b"[" * 5_000, "f.yaml:1: [0][0][0][0]: expected at most 24 levels, got more"),
        (b"\t", "f.yaml:1: file: expected YAML, got while scanning for the next token found character '\\t'"),
        (b"<all>: 1", "f.yaml:1: <all>: expected one of segment, description, rule, got the unknown key '<all>'"),
        (
            b"segment: a\nrule: {count: A, operator: '>=', value: 99999999999999999999999999999999}",
            (
                "f.yaml:2: rule.value: expected a whole number from 0 to 1000000000000, "
                "got '99999999999999999999999999999999'"
            ),
        ),
        (
            b"segment: a\nrule: {count: A, within: 1 day, operator: '>=', value: 10000}",
            "f.yaml:2: rule.value: expected a whole number from 0 to 9999, got 10000",
        ),
        (b"segment: NO\n", "f.yaml:1: segment: expected a name of up to 63 lower-case letters"),
    ],
)
def test_hostile_input_ends_in_words(source: bytes, message: str) -> None:
    with pytest.raises(FaultyDefinitionsError) as faulty:
        read("f.yaml", source)
    assert any(str(fault).startswith(message) for fault in faulty.value.faults), str(faulty.value)


def test_a_folder_without_definitions_is_refused_rather_than_ending_every_segment(tmp_path: Path) -> None:
    with pytest.raises(WrongDefinitionsError, match="CRM_SEGMENTER_DEFINITIONS_DIR"):
        read_folder(tmp_path)
    with pytest.raises(WrongDefinitionsError, match="CRM_SEGMENTER_DEFINITIONS_DIR"):
        read_folder(tmp_path / "missing")


def test_a_folder_with_a_faulty_definition_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("segment: a\n", "utf-8")
    with pytest.raises(WrongDefinitionsError, match=r"a\.yaml:1: rule: expected a rule, got nothing"):
        read_folder(tmp_path)
