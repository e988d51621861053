"""The metrics of what model servers write to their logs. Bounded: versions and patterns come from manifests."""

from controlplane.telemetry.metric import Kind, Metric

SERVER_LOG_LINES = Metric(
    "serinus_server_log_lines_total",
    Kind.COUNTER,
    "Lines of the servers' logs that a pattern of the manifest was found in.",
    ("service", "version", "pattern"),
)
SERVER_LOG_SOURCES = Metric(
    "serinus_server_log_sources",
    Kind.GAUGE,
    "Log files and units of journald that are to be followed: followed, or missing.",
    ("service", "version", "state"),
)
SERVER_LOG_SKIPPED = Metric(
    "serinus_server_log_skipped_bytes_total",
    Kind.COUNTER,
    "Of logs that grew faster than they were read: what was passed over.",
    ("service", "version"),
)
SERVER_LOG_METRICS = (SERVER_LOG_LINES, SERVER_LOG_SOURCES, SERVER_LOG_SKIPPED)
