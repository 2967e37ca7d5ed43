"""What the query API needs to know."""

from pydantic import Field, SecretStr

from shared.runtime.api_settings import ApiSettings
from shared.runtime.settings import MIN_SECRET, RuntimeSettings

SERVICE = "profile_api"


class ProfileApiSettings(ApiSettings):
    """The settings of the query API: `CRM_PROFILE_API_…`, else `CRM_…`."""

    identity_secret: SecretStr = Field(
        min_length=MIN_SECRET, description=RuntimeSettings.model_fields["identity_secret"].description
    )
    connections: int = Field(8, ge=2, le=100, description="Connections to PostgreSQL at most.")

    @property
    def secret(self) -> bytes:
        """Return the key of the HMAC that makes ids."""
        return self.identity_secret.get_secret_value().encode()
