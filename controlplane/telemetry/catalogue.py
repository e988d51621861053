"""Every metric of the control plane, with its unit and labels. Names are API: they are only ever added to.

Labels are bounded: services, rollouts and versions come from manifests; phases, actions, reasons and type names from
code. A rollout's series leave an hour after it ends (`exporter.py`).
"""

from controlplane.telemetry.metric import Kind, Metric
from controlplane.telemetry.probes import PROBE_METRICS
from controlplane.telemetry.server_logs import SERVER_LOG_METRICS
from controlplane.telemetry.servers import SERVER_METRICS

_ROLLOUT = ("service", "rollout")

ROLLOUT_PHASE = Metric("serinus_rollout_phase", Kind.GAUGE, "1 for the phase a rollout is in.", (*_ROLLOUT, "phase"))
ROLLOUT_WEIGHT = Metric(
    "serinus_rollout_weight_ratio", Kind.GAUGE, "Configured share of randomised traffic.", (*_ROLLOUT, "version")
)
ROLLOUT_OBSERVED = Metric(
    "serinus_rollout_observed_ratio", Kind.GAUGE, "Observed share of distinct sticky keys.", (*_ROLLOUT, "version")
)
ROLLOUT_FINDING = Metric(
    "serinus_rollout_finding",
    Kind.GAUGE,
    "1 for what the evidence looks like; none: nothing stands out.",
    (*_ROLLOUT, "finding"),
)
ROLLOUT_EVIDENCE = Metric(
    "serinus_rollout_log_evidence",
    Kind.GAUGE,
    "Natural log of the evidence that the candidate is worse, or good enough for the next weight.",
    (*_ROLLOUT, "metric", "direction"),
)
ROLLOUT_EVIDENCE_NEEDED = Metric(
    "serinus_rollout_log_evidence_needed",
    Kind.GAUGE,
    "Natural log of the evidence that decides.",
    (*_ROLLOUT, "metric", "direction"),
)
DECISIONS = Metric(
    "serinus_decisions_total", Kind.COUNTER, "Decisions, counted when they change.", (*_ROLLOUT, "action", "reason")
)
XDS_STREAMS = Metric("serinus_xds_streams", Kind.GAUGE, "Open ADS streams.")
XDS_PUSHES = Metric("serinus_xds_pushes_total", Kind.COUNTER, "Discovery responses sent.", ("type",))
XDS_NACKS = Metric("serinus_xds_nacks_total", Kind.COUNTER, "Discovery responses that a proxy rejected.", ("type",))
XDS_PROPAGATION = Metric(
    "serinus_xds_propagation_seconds",
    Kind.HISTOGRAM,
    "From publishing a snapshot to its acceptance by every connected proxy.",
    # From a push that waits for nothing (2 ms was measured on one proxy) to a proxy that is away for half a minute.
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
STORE_WRITE = Metric(
    "serinus_store_write_seconds",
    Kind.HISTOGRAM,
    "Time of one durable write.",
    # A commit with fsync takes 0.2-20 ms on local disks; above a second the disk is the incident.
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
)
VERSION_INFO = Metric(
    "serinus_version_info", Kind.GAUGE, "Maps a version to its arm.", ("service", "version", "arm", "rollout")
)
FEEDBACK = Metric(
    "serinus_feedback_total",
    Kind.COUNTER,
    "What was said of requests later; evidence: a guardrail of a running rollout judges it.",
    ("service", "version", "kind", "result"),
)
SIDECARS = Metric("serinus_sidecars", Kind.GAUGE, "Sidecars that report now.")
NOTIFICATIONS = Metric(
    "serinus_notifications_total",
    Kind.COUNTER,
    "Attempts to tell a receiver of a manifest's notify, and notices that were given up.",
    ("kind", "outcome"),
)
NOTIFICATIONS_WAITING = Metric("serinus_notifications_waiting", Kind.GAUGE, "Notices that receivers have yet to take.")
ALERTS_IN = Metric("serinus_alerts_received_total", Kind.COUNTER, "Alerts of others that came in.", ("outcome",))
RULE_STATE = Metric(
    "serinus_alert_rule_state",
    Kind.GAUGE,
    "1 for the state of an alert rule: inactive, pending, firing.",
    ("rule", "service", "severity", "state"),
)
OTLP_EXPORTS = Metric(
    "serinus_otlp_exports_total",
    Kind.COUNTER,
    "Requests over OTLP: taken, again (tried later), refused.",
    ("signal", "outcome"),
)

CATALOGUE = (
    ROLLOUT_PHASE,
    ROLLOUT_WEIGHT,
    ROLLOUT_OBSERVED,
    ROLLOUT_FINDING,
    ROLLOUT_EVIDENCE,
    ROLLOUT_EVIDENCE_NEEDED,
    DECISIONS,
    XDS_STREAMS,
    XDS_PUSHES,
    XDS_NACKS,
    XDS_PROPAGATION,
    STORE_WRITE,
    VERSION_INFO,
    FEEDBACK,
    SIDECARS,
    NOTIFICATIONS,
    NOTIFICATIONS_WAITING,
    ALERTS_IN,
    RULE_STATE,
    OTLP_EXPORTS,
    *SERVER_METRICS,
    *SERVER_LOG_METRICS,
    *PROBE_METRICS,
)
