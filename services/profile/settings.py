"""What profile alone needs to know."""

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import RuntimeSettings


class ProfileSettings(RuntimeSettings):
    """The settings of profile: `CRM_PROFILE_…`, else `CRM_…`."""

    cached_customers: int = Field(
        20_000, ge=0, le=10_000_000, description="Customers kept in memory, about 3 KB each; 0 reads each anew."
    )
    identity_rules: Path = Field(
        Path("config/identity.yaml"), description="File that says who is one person: limits, devices, blocked values."
    )
