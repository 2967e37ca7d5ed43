"""What metrics alone needs to know."""

from pydantic import Field

from shared.runtime.settings import RuntimeSettings, Seconds


class MetricsSettings(RuntimeSettings):
    """The settings of metrics: `CRM_METRICS_…`, else `CRM_…`."""

    kpi_refresh_seconds: Seconds = Field(10, description="How often the headline KPIs are read for Prometheus.")
