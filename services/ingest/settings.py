"""What ingest alone needs to know."""

from pydantic import Field, SecretStr

from shared.runtime.settings import RuntimeSettings


class IngestSettings(RuntimeSettings):
    """The settings of ingest: `CRM_INGEST_…`, else `CRM_…`."""

    identity_secret: SecretStr = Field(
        min_length=16,
        description="Key of the HMAC that turns an identity into its id; 16 characters or more, never changed.",
    )
