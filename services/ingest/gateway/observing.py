"""What the gateway counts: requests, events by verdict, and why something was not taken."""

import time
from enum import StrEnum

from services.ingest.gateway.routes import Family
from shared.runtime.metrics import Metrics

_CLASS = 100


class Refusal(StrEnum):
    """Why a request with events was not taken."""

    UNKNOWN_KEY = "unknown_key"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    RATE = "rate"
    NO_ROOM = "no_room"
    KAFKA = "kafka"
    STARTING = "starting"
    CONNECTIONS = "connections"
    SLOW = "slow"


class Observer:
    """Counts in instruments that are looked up once: a request touches four of them."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests = {
            (family, status): metrics.counter("crm_ingest_gateway_requests_total", route=family, status=f"{status}xx")
            for family in Family
            for status in (2, 4, 5)
        }
        self._seconds = {
            family: metrics.histogram("crm_ingest_gateway_request_duration_seconds", route=family) for family in Family
        }
        self._accepted = metrics.counter("crm_ingest_gateway_events_total", verdict="accepted")
        self._quarantined = metrics.counter("crm_ingest_gateway_events_total", verdict="quarantined")
        self._refused = {
            refusal: metrics.counter("crm_ingest_gateway_refused_total", reason=refusal) for refusal in Refusal
        }
        self._in_flight = metrics.gauge("crm_ingest_gateway_in_flight_bytes")
        self._connections = metrics.gauge("crm_ingest_gateway_connections")

    def answered(self, family: Family, status: int, began: float) -> None:
        """Count a request that began at `began`, by `time.perf_counter`."""
        self._requests[family, status // _CLASS].inc()
        self._seconds[family].observe(time.perf_counter() - began)

    def read(self, accepted: int, quarantined: int) -> None:
        """Count the events of a request that was stored."""
        if accepted:
            self._accepted.inc(accepted)
        if quarantined:
            self._quarantined.inc(quarantined)

    def refused(self, refusal: Refusal) -> None:
        """Count a request that was not taken."""
        self._refused[refusal].inc()

    def holds(self, in_flight: int, connections: int) -> None:
        """Show how much is under way now."""
        self._in_flight.set(in_flight)
        self._connections.set(connections)
