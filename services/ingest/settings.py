"""What ingest alone needs to know."""

from pydantic import Field, SecretStr

from shared.runtime.settings import RuntimeSettings


class IngestSettings(RuntimeSettings):
    """The settings of ingest: `CRM_INGEST_…`, else `CRM_…`."""

    identity_secret: SecretStr = Field(
        min_length=16,
        description="Key of the HMAC that turns an identity into its id; 16 characters or more, never changed.",
    )
    source_fuse_ratio: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a registered source's events of the last minute: when more are refused, it is paused.",
    )
    source_fuse_min_events: int = Field(
        1000, ge=1, description="Events that a source must have sent in that minute before its share counts."
    )
