"""What the process of an API needs to know beside what every service does."""

from pydantic import Field, SecretStr, field_validator

from shared.runtime.api_keys import ApiKeys
from shared.runtime.settings import RuntimeSettings


class ApiSettings(RuntimeSettings):
    """Where an API listens, and whose keys it knows."""

    host: str = Field("127.0.0.1", min_length=1, description="Address of the API, and of its /livez and /readyz.")
    port: int = Field(0, ge=0, le=65535, description="Port of the API; 0 takes a free one and logs it.")
    api_keys: SecretStr | None = Field(
        None,
        description="Keys of operators, a JSON list of {name, role, sha256}; roles: read, operate, admin, privacy.",
    )

    @property
    def keys(self) -> ApiKeys:
        """Return the keys that are known."""
        return ApiKeys() if self.api_keys is None else ApiKeys.read(self.api_keys.get_secret_value())

    @field_validator("api_keys")
    @classmethod
    def _keys_can_be_read(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            ApiKeys.read(value.get_secret_value())
        return value
