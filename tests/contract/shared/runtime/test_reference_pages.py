"""The reference pages say what the code says."""

import json
import re
import shutil
from pathlib import Path

import pytest
from pydantic import Field

from shared.contracts.compatibility import Verdict
from shared.runtime import reference
from shared.runtime.message_schemas import schema_files, types_of
from shared.runtime.metric_catalogue import CATALOGUE
from shared.runtime.metric_reference import metrics_reference
from shared.runtime.settings import RuntimeSettings
from shared.runtime.settings_reference import settings_reference

CUSTOMERS = "messages/crm.customers.v1.json"
REDIRECTS = "messages/customer.redirected.v1.json"


class ExampleSettings(RuntimeSettings):
    lanes: int = Field(4, ge=1, le=1000, description=RuntimeSettings.model_fields["lanes"].description)
    mail_host: str = Field(description="Where mails go.")


@pytest.mark.parametrize("page", reference.pages())
def test_a_reference_page_is_as_the_code_writes_it(page: str) -> None:
    published = reference.FOLDER / page
    assert published.exists(), f"docs/reference/{page} is not there: {reference.WRITE}"
    changes = {name: found for name, found in reference.schema_changes().items() if name == page}
    assert published.read_text("utf-8") == reference.pages()[page](), (
        f"docs/reference/{page} is not up to date: {reference.WRITE}\n{reference.in_words(changes)}"
    )


def test_no_schema_that_was_published_is_broken() -> None:
    broken = {
        name: [change for change in found if change.verdict is Verdict.BREAKING]
        for name, found in reference.schema_changes().items()
    }
    assert not any(broken.values()), "\n" + reference.in_words(broken)


def test_no_page_is_left_of_what_is_gone() -> None:
    there = {path.relative_to(reference.FOLDER).as_posix() for path in reference.FOLDER.rglob("*") if path.is_file()}
    assert there == set(reference.pages())


@pytest.mark.parametrize(
    ("words", "page"),
    [
        (["settings"], "settings.md"),
        (["asyncapi"], "asyncapi.yaml"),
        (["message", "crm.outreach.v1"], "messages/crm.outreach.v1.json"),
        (["payload", "order"], "payloads/order.json"),
    ],
)
def test_a_page_is_printed_by_its_name(words: list[str], page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(words) == 0
    assert capsys.readouterr().out == (reference.FOLDER / page).read_text("utf-8")


def test_a_payload_beside_a_topic_s_first_is_held_to_what_was_published_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = shutil.copytree(reference.FOLDER, tmp_path / "reference")
    schema = json.loads((published / REDIRECTS).read_text("utf-8"))
    schema["$defs"]["CustomerRedirect"]["properties"]["redirect_to"] = {"type": "integer"}
    (published / REDIRECTS).write_text(json.dumps(schema), "utf-8")
    assert reference.write(published) == 1
    assert f"{REDIRECTS}: breaking: $.redirect_to: type changed" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["tables"], ["message"], ["payload", "generic"], ["write", "all"]])
def test_an_unknown_page_is_refused_with_the_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(words) == 2
    assert "usage:" in capsys.readouterr().err


def test_pages_are_written_where_they_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published = shutil.copytree(reference.FOLDER, tmp_path / "reference")
    (published / "topics.md").write_text("old", "utf-8")
    (published / CUSTOMERS).unlink()
    assert reference.write(published) == 0
    assert capsys.readouterr().out.splitlines() == ["topics.md", CUSTOMERS]
    assert (published / CUSTOMERS).read_text("utf-8") == (reference.FOLDER / CUSTOMERS).read_text("utf-8")


def test_nothing_is_written_over_a_schema_that_it_would_break(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = shutil.copytree(reference.FOLDER, tmp_path / "reference")
    schema = json.loads((published / CUSTOMERS).read_text("utf-8"))
    schema["$defs"]["CustomerRecord"]["properties"]["score"] = {"type": "integer"}
    (published / CUSTOMERS).write_text(json.dumps(schema), "utf-8")
    (published / "topics.md").write_text("old", "utf-8")
    assert reference.write(published) == 1
    told = capsys.readouterr()
    assert "$.score: member removed; keep it, or publish customer.updated.v2" in told.err
    assert told.out == ""
    assert (published / "topics.md").read_text("utf-8") == "old"


def test_each_schema_of_messages_knows_its_types() -> None:
    typed = {name: types_of(name) for name in schema_files()}
    assert typed[CUSTOMERS] == ("customer.updated.v1",)
    assert typed[REDIRECTS] == ("customer.redirected.v1",)
    assert [bool(types) for types in typed.values()] == [name.startswith("messages/") for name in typed]


def test_every_setting_has_a_row_with_a_meaning() -> None:
    rows = re.findall(r"^\| `CRM_([A-Z_]+)` \| .* \| .* \| (.+) \|$", settings_reference(), re.MULTILINE)
    assert [name.lower() for name, _ in rows] == list(RuntimeSettings.model_fields)
    assert all(meaning.endswith(".") for _, meaning in rows)


def test_every_metric_has_a_row() -> None:
    rows = re.findall(r"^\| `(crm_[a-z_]+)` \|", metrics_reference(), re.MULTILINE)
    assert rows == [metric.name for metric in CATALOGUE]


def test_a_service_shows_only_what_it_adds() -> None:
    page = settings_reference([ExampleSettings])
    own = page.split("## Example")[1]
    assert re.findall(r"`(CRM_\w+)`", own) == ["CRM_EXAMPLE_MAIL_HOST"]
