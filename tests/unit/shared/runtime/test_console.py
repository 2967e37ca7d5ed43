"""How commands end when what they need is not there."""

import pytest
import typer

from shared.runtime.console import database


def test_a_database_that_is_away_is_told_with_its_cause_and_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Whoever only reads the database needs no Kafka.
    monkeypatch.delenv("CRM_KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("CRM_DATABASE_URL", "postgresql://rapport:canary-password@127.0.0.1:1/rapport")
    with pytest.raises(typer.Exit) as ended, database("profile"):
        pass
    said = capsys.readouterr()
    assert ended.value.exit_code == 1
    assert said.out == ""
    assert said.err.startswith("PostgreSQL cannot be used: connection failed: ")
    assert "Connection refused" in said.err
    assert "canary-password" not in said.err


def test_where_nothing_runs_the_command_says_how_to_start_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("CRM_DATABASE_URL", "CRM_PROFILE_DATABASE_URL", "CRM_KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(typer.Exit) as ended, database("profile"):
        pass
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == (
        "Nothing runs here: start it with `rapport up` (or `rapport demo --keep`), or set CRM_DATABASE_URL.\n"
    )


@pytest.mark.parametrize("variable", ["CRM_DATABASE_URL", "CRM_PROFILE_DATABASE_URL"])
def test_a_wrong_address_of_the_database_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str
) -> None:
    for name in ("CRM_DATABASE_URL", "CRM_PROFILE_DATABASE_URL", "CRM_KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "mysql://canary-password@db")
    with pytest.raises(typer.Exit) as ended, database("profile"):
        pass
    said = capsys.readouterr().err
    assert ended.value.exit_code == 2
    assert f"{variable}: expected postgresql://" in said
    assert "canary-password" not in said
