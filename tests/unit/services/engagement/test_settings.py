"""Settings: a mail server by its address, and no password in the clear to another machine."""

import pytest
from pydantic import SecretStr

from services.engagement.adapters.smtp import Encryption, SmtpServer
from services.engagement.settings import EngagementSettings, parse_smtp_url
from shared.runtime.settings import WrongSettingsError, settings_for


@pytest.fixture(autouse=True)
def _needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
    monkeypatch.setenv("CRM_DATABASE_URL", "postgresql://a:b@localhost/c")
    monkeypatch.setenv("CRM_IDENTITY_SECRET", "sixteen characters or more")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://127.0.0.1:1025", SmtpServer("127.0.0.1", 1025)),
        ("smtp://mail.example.com", SmtpServer("mail.example.com", 25)),
        ("smtp+starttls://mail.example.com", SmtpServer("mail.example.com", 587, Encryption.STARTTLS)),
        (
            "smtps://us%40er:p%3Ass@mail.example.com/",
            SmtpServer("mail.example.com", 465, Encryption.TLS, "us@er", SecretStr("p:ss")),
        ),
        ("smtp://u:p@localhost:25", SmtpServer("localhost", 25, Encryption.NONE, "u", SecretStr("p"))),
    ],
)
def test_a_mail_server_is_named_by_an_address(url: str, server: SmtpServer) -> None:
    assert parse_smtp_url(url) == server
    assert "p:ss" not in repr(parse_smtp_url(url))


@pytest.mark.parametrize("url", ["", "mail", "http://mail", "smtp://", "smtp://a:b:c", "smtp://a:99999", "smtp://a/b"])
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected smtp://host:port"):
        parse_smtp_url(url)


def test_a_password_in_the_clear_goes_to_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_ENGAGEMENT_SMTP_URL", "smtp://user:hunter2hunter2@mail.example.com")
    with pytest.raises(WrongSettingsError, match="CRM_ENGAGEMENT_SMTP_URL: expected smtps://") as caught:
        settings_for("engagement", EngagementSettings)
    assert "hunter2" not in str(caught.value)


def test_without_the_secret_nothing_starts_and_with_it_all_else_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for("engagement", EngagementSettings)
    assert settings.server == SmtpServer("127.0.0.1", 25)
    assert settings.retry_policy.attempts == 12
    assert settings.secret == b"sixteen characters or more"
    monkeypatch.delenv("CRM_IDENTITY_SECRET")
    with pytest.raises(WrongSettingsError, match="CRM_IDENTITY_SECRET is not set"):
        settings_for("engagement", EngagementSettings)
