"""The reference pages say what the code says."""

import re
from pathlib import Path

import pytest
from pydantic import Field

from shared.runtime import reference
from shared.runtime.metric_catalogue import CATALOGUE
from shared.runtime.settings import RuntimeSettings

PAGES = Path(__file__).parents[4] / "docs" / "reference"


class ExampleSettings(RuntimeSettings):
    lanes: int = Field(4, ge=1, le=1000, description=RuntimeSettings.model_fields["lanes"].description)
    mail_host: str = Field(description="Where mails go.")


@pytest.mark.parametrize("page", ["settings", "metrics", "topics"])
def test_a_reference_page_is_as_the_code_writes_it(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main([page]) == 0
    written = (PAGES / f"{page}.md").read_text("utf-8")
    assert written == capsys.readouterr().out, (
        f"docs/reference/{page}.md is not up to date: "
        f"python -m shared.runtime.reference {page} > docs/reference/{page}.md"
    )


def test_every_setting_has_a_row_with_a_meaning() -> None:
    rows = re.findall(r"^\| `CRM_([A-Z_]+)` \| .* \| .* \| (.+) \|$", reference.settings_reference(), re.MULTILINE)
    assert [name.lower() for name, _ in rows] == list(RuntimeSettings.model_fields)
    assert all(meaning.endswith(".") for _, meaning in rows)


def test_every_metric_has_a_row() -> None:
    rows = re.findall(r"^\| `(crm_[a-z_]+)` \|", reference.metrics_reference(), re.MULTILINE)
    assert rows == [metric.name for metric in CATALOGUE]


def test_a_service_shows_only_what_it_adds() -> None:
    page = reference.settings_reference([ExampleSettings])
    own = page.split("## Example")[1]
    assert re.findall(r"`(CRM_\w+)`", own) == ["CRM_EXAMPLE_MAIL_HOST"]


def test_an_unknown_page_is_refused_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["tables"]) == 2
    assert "usage:" in capsys.readouterr().err
