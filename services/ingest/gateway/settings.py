"""What the gateway needs to know."""

from pydantic import Field, SecretStr

from services.ingest.settings import IngestSettings
from shared.runtime.settings import RuntimeSettings, Seconds

SERVICE = "ingest_gateway"
"""The name by which its variables are found."""

MEGABYTE = 1_000_000
LARGEST_REQUEST = 4 * MEGABYTE
"""Bytes of a request at most: with its headers it must fit into one record, should it be a single event."""


class IngestGatewaySettings(RuntimeSettings):
    """The settings of the gateway: `CRM_INGEST_GATEWAY_…`, else `CRM_…`."""

    identity_secret: SecretStr = Field(
        min_length=16, description=IngestSettings.model_fields["identity_secret"].description
    )
    host: str = Field("127.0.0.1", min_length=1, description="Address at which events are taken.")
    port: int = Field(8080, ge=0, le=65535, description="Port at which events are taken; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Processes that take events, all at the one port.")
    largest_request_bytes: int = Field(
        LARGEST_REQUEST, ge=1024, le=LARGEST_REQUEST, description="Largest body, as sent and inflated."
    )
    in_flight_bytes: int = Field(
        64 * MEGABYTE,
        ge=4 * MEGABYTE,
        description="Bytes of requests under way in a process; a source may hold as much as is free.",
    )
    connections: int = Field(4000, ge=1, le=100_000, description="Open connections of a process; further ones get 503.")
    request_seconds: Seconds = Field(30, description="Longest time from a request's first byte to its last.")
    answer_seconds: Seconds = Field(10, description="Longest wait for Kafka; then 503, and the sender tries again.")
    idle_seconds: Seconds = Field(60, description="How long a connection without a request stays open.")
