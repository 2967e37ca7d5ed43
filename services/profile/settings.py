"""What profile alone needs to know."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from shared.runtime.settings import LookupSettings, RuntimeSettings


class ProfileSettings(RuntimeSettings):
    """The settings of profile: `CRM_PROFILE_…`, else `CRM_…`."""

    cached_customers: int = Field(
        20_000, ge=0, le=10_000_000, description="Customers kept in memory, about 3 KB each; 0 reads each anew."
    )
    identity_rules: Path = Field(
        Path("config/identity.yaml"), description="File that says who is one person: limits, devices, blocked values."
    )
    lifecycle_stages: Path = Field(
        Path("config/lifecycle.yaml"), description="File that says how far a relationship has come, and by what signs."
    )
    check_interval_seconds: float = Field(
        60,
        ge=0,
        allow_inf_nan=False,
        description="How often some customers are compared with their timeline, by one worker for all; 0 never.",
    )
    check_customers: int = Field(
        100, ge=1, le=10_000, description="Customers compared each time; the next ones follow until all were."
    )


class NamingSettings(LookupSettings):
    """What a command needs that finds customers by what they are known as."""

    identity_secret: SecretStr | None = Field(
        None, description=RuntimeSettings.model_fields["identity_secret"].description
    )

    @property
    def secret(self) -> bytes | None:
        """Return the key of the HMAC that makes ids, if it is known."""
        return None if self.identity_secret is None else self.identity_secret.get_secret_value().encode()


class RulesSettings(BaseSettings):
    """What whoever looks at what a decision would do needs besides: the worker's rules."""

    model_config = RuntimeSettings.model_config

    identity_rules: Path = Field(
        ProfileSettings.model_fields["identity_rules"].default,
        description=ProfileSettings.model_fields["identity_rules"].description,
    )


class StagesSettings(BaseSettings):
    """What whoever shows a record needs besides: the worker's stages of the lifecycle."""

    model_config = RuntimeSettings.model_config

    lifecycle_stages: Path = Field(
        ProfileSettings.model_fields["lifecycle_stages"].default,
        description=ProfileSettings.model_fields["lifecycle_stages"].description,
    )


class DecidingSettings(NamingSettings, RulesSettings):
    """What a command needs that decides who is one person."""


class RebuildingSettings(LookupSettings):
    """What a command needs that compares customers with their timeline, by the worker's rules, and puts them right."""

    identity_rules: Path = Field(
        ProfileSettings.model_fields["identity_rules"].default,
        description=ProfileSettings.model_fields["identity_rules"].description,
    )
    lifecycle_stages: Path = Field(
        ProfileSettings.model_fields["lifecycle_stages"].default,
        description=ProfileSettings.model_fields["lifecycle_stages"].description,
    )
    lanes: int = Field(
        ProfileSettings.model_fields["lanes"].default,
        ge=1,
        le=1000,
        description=ProfileSettings.model_fields["lanes"].description,
    )
