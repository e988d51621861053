"""The metrics of what services lean on. Bounded: probes come from manifests, at most 16 of a service."""

from controlplane.telemetry.metric import Kind, Metric

PROBE_UP = Metric(
    "serinus_probe_up",
    Kind.GAUGE,
    "Whether a dependency answers: 1 or 0; no line while it was not asked lately.",
    ("service", "probe"),
)
PROBE_DURATION = Metric(
    "serinus_probe_duration_seconds", Kind.GAUGE, "How long its newest answer, or failure, took.", ("service", "probe")
)
PROBE_METRICS = (PROBE_UP, PROBE_DURATION)
