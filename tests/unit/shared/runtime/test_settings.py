import pytest
from pydantic import Field, SecretStr

from shared.runtime.settings import RuntimeSettings, WrongSettingsError, settings_for, settings_or_exit

SECRET_URL = "postgresql://crm:s3cr3t-word@db:5432/rapport"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "kafka-1:9092,kafka-2:9092")
    monkeypatch.setenv("CRM_DATABASE_URL", SECRET_URL)


class TaggedSettings(RuntimeSettings):
    tags: tuple[str, ...] = Field((), description="Tags.")


def profile() -> RuntimeSettings:
    return settings_for("profile", RuntimeSettings)


def test_a_variable_of_the_service_beats_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_WEB_PORT", "8000")
    monkeypatch.setenv("CRM_PROFILE_WEB_PORT", "8001")
    monkeypatch.setenv("CRM_PROFILE_DATABASE_URL", "postgresql://crm_profile@db/rapport")
    assert profile().web_port == 8001
    assert profile().database_url.get_secret_value() == "postgresql://crm_profile@db/rapport"
    segmenter = settings_for("segmenter", RuntimeSettings)
    assert segmenter.web_port == 8000
    assert segmenter.database_url == SecretStr(SECRET_URL)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_INSTANCE_ID", "")
    monkeypatch.setenv("CRM_PROFILE_LANES", "")
    monkeypatch.setenv("CRM_LANES", "6")
    assert profile().instance_id is None
    assert profile().lanes == 6


def test_the_session_is_long_only_with_an_instance_id(monkeypatch: pytest.MonkeyPatch) -> None:
    assert profile().session_timeout == 10
    monkeypatch.setenv("CRM_PROFILE_INSTANCE_ID", "profile-0")
    assert profile().session_timeout == 30
    monkeypatch.setenv("CRM_SESSION_TIMEOUT_SECONDS", "18")
    assert profile().session_timeout == 18


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CRM_LANES", "many", "CRM_LANES: expected a whole number, got 'many'"),
        ("CRM_FUSE_RATIO", "half", "CRM_FUSE_RATIO: expected a number, got 'half'"),
        ("CRM_LANES", "0", "CRM_LANES: expected greater than or equal to 1, got '0'"),
        ("CRM_PROFILE_WEB_PORT", "70000", "CRM_PROFILE_WEB_PORT: expected less than or equal to 65535"),
        ("CRM_FUSE_RATIO", "1.5", "CRM_FUSE_RATIO: expected less than or equal to 1"),
        ("CRM_TICK_SECONDS", "nan", "CRM_TICK_SECONDS: expected"),
        ("CRM_LOG_FORMAT", "xml", "CRM_LOG_FORMAT: expected 'json' or 'console', got 'xml'"),
        ("CRM_KAFKA_BOOTSTRAP_SERVERS", "kafka", "CRM_KAFKA_BOOTSTRAP_SERVERS: expected host:port"),
        ("CRM_INSTANCE_ID", "a b", "CRM_INSTANCE_ID: expected"),
        ("CRM_HEARTBEAT_SECONDS", "4", "CRM_HEARTBEAT_SECONDS: expected at most a third of the session of 10 s, got 4"),
        ("CRM_IDLE_IN_TRANSACTION_SECONDS", "10", "CRM_IDLE_IN_TRANSACTION_SECONDS: expected less than the session"),
        ("CRM_DRAIN_SECONDS", "25", "CRM_DRAIN_SECONDS: expected less than CRM_STOP_GRACE_SECONDS of 25 s, got 25"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(WrongSettingsError) as wrong:
        profile()
    assert said in str(wrong.value)


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRM_KAFKA_BOOTSTRAP_SERVERS")
    monkeypatch.setenv("CRM_LANES", "x")
    with pytest.raises(WrongSettingsError) as wrong:
        profile()
    lines = str(wrong.value).splitlines()
    assert len(lines) == 3
    assert "CRM_KAFKA_BOOTSTRAP_SERVERS is not set: Kafka brokers" in lines[1]
    assert "CRM_LANES" in lines[2]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CRM_DATABASE_URL", "mysql://crm:s3cr3t-word@db/x"),
        ("CRM_PROFILE_DATABASE_URL", "s3cr3t-word"),
        ("CRM_IDENTITY_SECRET", "s3cr3t-word"),
    ],
)
def test_a_wrong_secret_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        settings_or_exit("profile", RuntimeSettings)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert f"{variable}: expected" in said
    assert "s3cr3t" not in said
    assert "Traceback" not in said


def test_a_right_secret_is_not_shown_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_HEARTBEAT_SECONDS", "9")
    with pytest.raises(WrongSettingsError) as wrong:
        profile()
    assert "s3cr3t" not in str(wrong.value)
    monkeypatch.delenv("CRM_HEARTBEAT_SECONDS")
    assert "s3cr3t" not in repr(profile())


def test_a_list_that_is_not_json_is_a_clear_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_PROFILE_TAGS", "a,b")
    with pytest.raises(WrongSettingsError, match="expected JSON"):
        settings_for("profile", TaggedSettings)
    monkeypatch.setenv("CRM_PROFILE_TAGS", '["a", "b"]')
    assert settings_for("profile", TaggedSettings).tags == ("a", "b")
