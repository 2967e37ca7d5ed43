"""The catalogue of metrics: every one that there is, in one typed place."""

from shared.runtime.metric import Label, Metric, MetricKind

DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
FRESHNESS_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
EVENT_TIME_BUCKETS = (1.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0, 604_800.0, 2_592_000.0)
SIZE_BUCKETS = (1.0, 2.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 2500.0, 5000.0)

_SERVICE = Label("service")
_TOPIC = Label("topic")
_PARTITION = Label("partition")
_REASON = Label("reason")
_SEGMENT = Label("segment")
_OUTCOME = Label("outcome", ("applied", "duplicate", "conflict", "dead", "erased"))
_PHASE = Label("phase", ("poll", "decide", "load", "save", "commit", "publish"))
_MESSAGE = (
    Label("channel", ("email", "sms", "push", "webhook", "chat", "task")),
    Label(
        "state",
        ("planned", "claimed", "sending", "accepted", "delivered", "bounced", "failed", "retry_wait", "unknown"),
    ),
)
_ROUTE = Label("route", ("batch", "call", "snowplow", "pixel", "settings", "preflight", "other"))
_STAGE = Label("stage", ("ingest", "profile", "segment", "outreach", "kpi"))

_CONSUMER = (
    Metric(
        "crm_consumer_records_total",
        MetricKind.COUNTER,
        "Events read and committed, by what became of them; reconciles with the position rows.",
        (_SERVICE, _TOPIC, _OUTCOME),
    ),
    Metric(
        "crm_consumer_lag_records",
        MetricKind.GAUGE,
        "Records between our position and the end of the log.",
        (_SERVICE, _TOPIC, _PARTITION),
    ),
    Metric(
        "crm_consumer_lag_seconds",
        MetricKind.GAUGE,
        "Now minus the timestamp of the record at our position, 0 when caught up.",
        (_SERVICE, _TOPIC, _PARTITION),
        "seconds",
    ),
    Metric(
        "crm_consumer_last_poll_timestamp_seconds",
        MetricKind.GAUGE,
        "When the consumer last asked Kafka for records, in Unix time.",
        (_SERVICE,),
        "seconds",
    ),
    Metric(
        "crm_consumer_last_commit_timestamp_seconds",
        MetricKind.GAUGE,
        "When a batch was last committed to PostgreSQL, or lanes were claimed, in Unix time.",
        (_SERVICE,),
        "seconds",
    ),
    Metric("crm_consumer_assigned_partitions", MetricKind.GAUGE, "Partitions read by this process.", (_SERVICE,)),
    Metric("crm_consumer_rebalances_total", MetricKind.COUNTER, "Assignments received from Kafka.", (_SERVICE,)),
    Metric(
        "crm_consumer_fenced_total",
        MetricKind.COUNTER,
        "Transactions refused because a lane had a newer owner.",
        (_SERVICE,),
    ),
)
_BATCH = (
    Metric("crm_batch_records", MetricKind.HISTOGRAM, "Records in a batch.", (_SERVICE,), "", SIZE_BUCKETS),
    Metric(
        "crm_batch_duration_seconds",
        MetricKind.HISTOGRAM,
        "How long each phase of a batch takes.",
        (_SERVICE, _PHASE),
        "seconds",
        DURATION_BUCKETS,
    ),
    Metric(
        "crm_event_time_lag_seconds",
        MetricKind.HISTOGRAM,
        "Now minus the time an event happened: the freshness of the data.",
        (_SERVICE, _STAGE),
        "seconds",
        EVENT_TIME_BUCKETS,
    ),
    Metric(
        "crm_end_to_end_latency_seconds",
        MetricKind.HISTOGRAM,
        "Now minus the time an event was accepted: the freshness of us.",
        (_STAGE,),
        "seconds",
        FRESHNESS_BUCKETS,
    ),
    Metric(
        "crm_clock_lateness_seconds",
        MetricKind.HISTOGRAM,
        "How late after its instant something due was committed.",
        (_SERVICE,),
        "seconds",
        FRESHNESS_BUCKETS,
    ),
)
_OUTPUT = (
    Metric(
        "crm_dead_letters_total",
        MetricKind.COUNTER,
        "Events set aside because they could not be applied.",
        (_SERVICE, _REASON),
    ),
    Metric("crm_dead_letters_open", MetricKind.GAUGE, "Dead letters nobody has dealt with.", (_SERVICE, _REASON)),
    Metric(
        "crm_publications_waiting",
        MetricKind.GAUGE,
        "Messages committed and not yet acknowledged by Kafka.",
        (_SERVICE, _TOPIC),
    ),
    Metric(
        "crm_publications_oldest_seconds",
        MetricKind.GAUGE,
        "Age of the oldest message committed and not yet acknowledged.",
        (_SERVICE, _TOPIC),
        "seconds",
    ),
    Metric(
        "crm_audit_republished_total",
        MetricKind.COUNTER,
        "Keys whose last record in a state topic was older than the table and was sent again.",
        (_SERVICE, _TOPIC),
    ),
    Metric("crm_build_info", MetricKind.GAUGE, "1, with the version that runs.", (Label("version"),)),
)
_SOURCE = Label("source")
_GATEWAY = (
    Metric(
        "crm_ingest_gateway_requests_total",
        MetricKind.COUNTER,
        "Requests answered, by kind and by class of the status.",
        (_ROUTE, Label("status", ("2xx", "4xx", "5xx"))),
    ),
    Metric(
        "crm_ingest_gateway_request_duration_seconds",
        MetricKind.HISTOGRAM,
        "How long requests take, with their wait for Kafka.",
        (_ROUTE,),
        "seconds",
        DURATION_BUCKETS,
    ),
    Metric(
        "crm_ingest_gateway_events_total",
        MetricKind.COUNTER,
        "Events that are on Kafka, by what reading them says.",
        (Label("verdict", ("accepted", "quarantined")),),
    ),
    Metric(
        "crm_ingest_gateway_refused_total",
        MetricKind.COUNTER,
        "Requests of which nothing was stored, by reason.",
        (
            Label(
                "reason",
                ("unknown_key", "too_large", "not_json", "rate", "no_room", "kafka", "starting", "connections", "slow"),
            ),
        ),
    ),
    Metric("crm_ingest_gateway_in_flight_bytes", MetricKind.GAUGE, "Bytes of requests under way.", unit="bytes"),
    Metric("crm_ingest_gateway_connections", MetricKind.GAUGE, "Open connections."),
)
_SERVICES = (
    Metric(
        "crm_ingest_source_quarantined_ratio",
        MetricKind.GAUGE,
        "Share of a registered source's events of the last minute that were refused; other is all that nobody added.",
        (_SOURCE,),
        "ratio",
    ),
    Metric(
        "crm_ingest_source_paused",
        MetricKind.GAUGE,
        "1 while a source is paused for this reason: its events are held in the quarantine.",
        (_SOURCE, Label("reason", ("operator", "fuse"))),
    ),
    Metric(
        "crm_links_refused_total",
        MetricKind.COUNTER,
        "Pairs of identifiers that an event named together for the first time and that are not one customer for it, by "
        "why; kind is that of which there would be too many, else that of the weaker one.",
        (
            Label(
                "reason",
                ("over_limit", "nobody", "blocked", "kept_apart", "other_signed_in", "shared_device"),
            ),
            Label(
                "kind",
                ("user_id", "email", "phone", "anonymous_id", "ios.id", "android.id", "crm_id", "others"),
            ),
        ),
    ),
    Metric(
        "crm_regions_given_up_total",
        MetricKind.COUNTER,
        "Regions with more identities than the clock resolves: their customers stay, late links in them are void.",
    ),
    Metric(
        "crm_profile_checked_customers_total",
        MetricKind.COUNTER,
        "Customers compared with what is counted anew from their timeline, by what came of it.",
        (Label("result", ("equal", "different", "passed_over")),),
    ),
    Metric(
        "crm_profile_check_last_run_timestamp_seconds",
        MetricKind.GAUGE,
        "When this process last compared customers with their timeline, in Unix time.",
        unit="seconds",
    ),
    Metric(
        "crm_profile_search_waiting",
        MetricKind.GAUGE,
        "Changes that search does not find yet, counted up to 100,000; it grows where no profile-api takes them in.",
    ),
    Metric("crm_segment_members", MetricKind.GAUGE, "Customers in a segment now.", (_SEGMENT,)),
    Metric(
        "crm_segment_changes_total",
        MetricKind.COUNTER,
        "Entries into and exits from segments, by cause.",
        (
            _SEGMENT,
            Label("change", ("entered", "exited")),
            Label("cause", ("event", "clock", "record", "definition", "merge")),
        ),
    ),
    Metric("crm_outreach_messages", MetricKind.GAUGE, "Messages of the ledger by state.", _MESSAGE),
    Metric(
        "crm_outreach_state_oldest_seconds",
        MetricKind.GAUGE,
        "How long the message that stands longest in a state has stood there, 0 when there is none.",
        _MESSAGE,
        "seconds",
    ),
    Metric(
        "crm_outreach_triggers_parked",
        MetricKind.GAUGE,
        "Triggers that wait for the customer's record that made them fire.",
    ),
    Metric(
        "crm_outreach_triggers_parked_oldest_seconds",
        MetricKind.GAUGE,
        "How long the oldest parked trigger has waited.",
        unit="seconds",
    ),
    Metric(
        "crm_outreach_skipped_total", MetricKind.COUNTER, "Messages not sent, by the rule that said no.", (_REASON,)
    ),
)

CATALOGUE: tuple[Metric, ...] = (*_CONSUMER, *_BATCH, *_OUTPUT, *_GATEWAY, *_SERVICES)
"""Every metric there is, except families that a service names itself (`crm_kpi_…`) and hands to `Metrics`."""
