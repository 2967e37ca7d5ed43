"""How commands end when what they need is not there."""

import pytest
import typer

from shared.runtime.console import database


def test_a_database_that_is_away_is_told_with_its_cause_and_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("CRM_DATABASE_URL", "postgresql://rapport:canary-password@127.0.0.1:1/rapport")
    with pytest.raises(typer.Exit) as ended, database("profile"):
        pass
    said = capsys.readouterr()
    assert ended.value.exit_code == 1
    assert said.out == ""
    assert said.err.startswith("PostgreSQL cannot be used: connection failed: ")
    assert "Connection refused" in said.err
    assert "canary-password" not in said.err
