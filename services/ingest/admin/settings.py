"""What the admin API needs to know."""

from shared.runtime.api_settings import ApiSettings

SERVICE = "ingest_admin"


class IngestAdminSettings(ApiSettings):
    """The settings of the admin API: `CRM_INGEST_ADMIN_…`, else `CRM_…`."""
