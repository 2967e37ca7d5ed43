from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from shared.runtime.errors import FatalError
from shared.runtime.schema_revision import DatabaseUnreachableError, History, connect, histories, history_of


def write(folder: Path, revision: str, down_revision: object) -> None:
    versions = folder / "versions"
    versions.mkdir(exist_ok=True)
    (versions / f"{revision}.py").write_text(
        f"raise SystemExit('executed')\nrevision: str = {revision!r}\ndown_revision = {down_revision!r}\n", "utf-8"
    )


def test_the_head_is_the_revision_that_no_other_follows(tmp_path: Path) -> None:
    write(tmp_path, "a1", None)
    write(tmp_path, "b2", "a1")
    write(tmp_path, "c3", "b2")
    assert History("s", tmp_path).heads() == {"c3"}


def test_a_merge_follows_both_of_its_parents(tmp_path: Path) -> None:
    write(tmp_path, "a1", None)
    write(tmp_path, "b2", "a1")
    write(tmp_path, "b3", "a1")
    assert History("s", tmp_path).heads() == {"b2", "b3"}
    write(tmp_path, "c4", ("b2", "b3"))
    assert History("s", tmp_path).heads() == {"c4"}


def test_a_history_without_revisions_has_no_head(tmp_path: Path) -> None:
    assert History("s", tmp_path).heads() == frozenset()


def test_every_history_has_the_one_head_that_alembic_finds_too() -> None:
    fixture = Path(__file__).parents[3] / "integration" / "shared" / "runtime" / "histories" / "growing"
    found = [History("growing", fixture), *histories()]
    for history in found:
        heads = ScriptDirectory(str(history.folder), version_locations=[str(history.folder / "versions")]).get_heads()
        assert history.heads() == frozenset(heads)
        assert len(heads) == 1


def test_an_unknown_service_is_named() -> None:
    with pytest.raises(FatalError, match="no migrations of a service billing"):
        history_of("billing")


def test_a_database_out_of_reach_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseUnreachableError) as refused:
        connect("postgresql://crm:s3cr3t@127.0.0.1:1/rapport")
    assert "CRM_DATABASE_URL" in str(refused.value)
    assert "s3cr3t" not in str(refused.value)
