"""Every metric of the sidecar with its labels and buckets. Names are API: they are added, never changed.

Labels are bounded: services, versions and cohorts come from manifests. No user, key, session or prompt anywhere.
"""

from dataclasses import dataclass, field

from extproc.telemetry.tables import Counter, Histogram, Metric, Table

# The edges people already chart for request durations of model servers: 10 ms doubling to 82 s.
DURATION_BUCKETS_S = tuple(round(0.01 * 2**n, 2) for n in range(14))
# The edges that model servers chart their own time to first token by.
TTFT_BUCKETS_S = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
    20.0,
    40.0,
)
# From one token of a quick model to a stall that a user takes for the end.
GAP_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# OpenTelemetry's advice for `gen_ai.server.time_per_output_token`.
TPOT_BUCKETS_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
# Most answers have none of it; a share of repeated trigrams above a quarter is what base models do.
BADNESS_BUCKETS = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
# A tag costs 10-400 us of this process; above 50 ms Envoy has given up on it (message_timeout).
PROCESSING_BUCKETS_S = (25e-6, 50e-6, 100e-6, 200e-6, 400e-6, 800e-6, 1.6e-3, 3.2e-3, 6.4e-3, 12.8e-3, 25.6e-3, 51.2e-3)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(Metric(name, text, labels))


def _requests() -> Counter:
    return _counter(
        "serinus_extproc_requests_total",
        "Requests that Envoy asked about, by result: tagged, pinned, no_key, unknown_service, bad_message, "
        "shed (passed untagged because this process could not keep up).",
        "result",
    )


def _tokens() -> Counter:
    return _counter(
        "serinus_extproc_tokens_total",
        "Testers' tokens that requests brought, by result: accepted, forged, expired, foreign (another service, or a "
        "version that is not in force). All but the first have no effect.",
        "result",
    )


def _outcomes() -> Counter:
    return _counter(
        "serinus_outcomes_total",
        "Finished requests. outcome: ok, failed (the version's fault), client (the client's own), limited (kept back "
        "by the service's limits).",
        "service",
        "version",
        "cohort",
        "outcome",
        "error_class",
    )


def _attempts() -> Counter:
    text = "Attempts at a server: one a request that reached its version, and one more for each retry."
    return _counter("serinus_upstream_attempts_total", text, "service", "version")


def _durations() -> Histogram:
    text = "Time from a request's first byte to the end of its response, by Envoy's clock."
    return Histogram(Metric("serinus_request_duration_seconds", text, ("service", "version"), DURATION_BUCKETS_S))


def _ttfts() -> Histogram:
    text = (
        "Time from a request's first byte to the first content of a stream, of services that are not observed to the "
        "first byte of the response's body (of its headers, if it had none), of responses that ended well or were left "
        "by the client."
    )
    return Histogram(Metric("serinus_time_to_first_token_seconds", text, ("service", "version"), TTFT_BUCKETS_S))


def _tpots() -> Histogram:
    text = "Time per output token after the first, of observed streams of one choice that ended well."
    return Histogram(Metric("serinus_time_per_output_token_seconds", text, ("service", "version"), TPOT_BUCKETS_S))


def _gaps() -> Histogram:
    text = "Longest pause of observed streams that ended well, from their first content on."
    return Histogram(Metric("serinus_token_gap_seconds", text, ("service", "version"), GAP_BUCKETS_S))


def _token_counts() -> Counter:
    text = (
        "Tokens of observed requests that ended well, by type: output (as the server states them, or by events), and "
        "where it states them input and cached (of input, what the server had kept)."
    )
    return _counter("serinus_tokens_total", text, "service", "version", "type")


def _badness() -> Histogram:
    text = "Badness of observed answers by signal, 0 to 1: the sum over the count is the mean that is judged."
    return Histogram(Metric("serinus_answer_badness_ratio", text, ("service", "version", "signal"), BADNESS_BUCKETS))


def _evaluations() -> Counter:
    text = (
        "Answers for the evaluator: scored, no_opinion, failed (it raised, was too slow, or said no score), dropped "
        "(too many waited)."
    )
    return _counter("serinus_evaluations_total", text, "result")


def _processing() -> Histogram:
    text = "Time this process spent on one ext_proc message that it answered."
    return Histogram(Metric("serinus_extproc_processing_seconds", text, (), PROCESSING_BUCKETS_S))


def _finish_reasons() -> Counter:
    text = "Finish reasons seen in observed responses."
    return _counter("serinus_finish_reasons_total", text, "service", "version", "finish_reason")


def _observations() -> Counter:
    return _counter(
        "serinus_observations_total",
        "Observed response bodies: joined, unobservable (of an unknown coding or form), missing (waited for in "
        "vain), orphaned (its log entry never came).",
        "result",
    )


def _log_entries() -> Counter:
    return _counter(
        "serinus_log_entries_total",
        "Access-log entries received: counted, foreign (no service of ours), running (an entry a second of a request "
        "that still runs), partial (neither that nor an end), malformed.",
        "result",
    )


def _untagged() -> Counter:
    return _counter(
        "serinus_untagged_requests_total",
        "Requests that passed untagged since Envoy's start because no sidecar answered in time (failure_mode_allowed).",
    )


def _lost() -> Counter:
    text = "Access-log entries that Envoy wrote, or had to drop, and no sidecar received, or none could report."
    return _counter("serinus_lost_log_entries_total", text)


def _report_slots() -> Counter:
    text = "Slot rows by what became of them: acked by the control plane, dropped when the queue was full."
    return _counter("serinus_report_slots_total", text, "result")


def _late() -> Counter:
    text = "Outcomes that came after their slot had closed: on dashboards, not in evidence."
    return _counter("serinus_late_outcomes_total", text)


def _overflow() -> Counter:
    return _counter(
        "serinus_overflow_outcomes_total",
        "Outcomes kept out of the evidence because a second held too many: keys (reported as not randomised), rows "
        "(not reported).",
        "limit",
    )


def _feedback() -> Counter:
    text = "Requests of clients that tell what came of others, by result; dropped: accepted, and lost on the way up."
    return _counter("serinus_feedback_posts_total", text, "result")


@dataclass(slots=True)
class Catalogue:
    """All tables of one process."""

    requests: Counter = field(default_factory=_requests)
    tokens: Counter = field(default_factory=_tokens)
    processing: Histogram = field(default_factory=_processing)
    outcomes: Counter = field(default_factory=_outcomes)
    attempts: Counter = field(default_factory=_attempts)
    durations: Histogram = field(default_factory=_durations)
    ttfts: Histogram = field(default_factory=_ttfts)
    tpots: Histogram = field(default_factory=_tpots)
    gaps: Histogram = field(default_factory=_gaps)
    token_counts: Counter = field(default_factory=_token_counts)
    badness: Histogram = field(default_factory=_badness)
    evaluations: Counter = field(default_factory=_evaluations)
    finish_reasons: Counter = field(default_factory=_finish_reasons)
    observations: Counter = field(default_factory=_observations)
    log_entries: Counter = field(default_factory=_log_entries)
    untagged: Counter = field(default_factory=_untagged)
    lost: Counter = field(default_factory=_lost)
    report_slots: Counter = field(default_factory=_report_slots)
    late: Counter = field(default_factory=_late)
    overflow: Counter = field(default_factory=_overflow)
    feedback: Counter = field(default_factory=_feedback)

    def tables(self) -> tuple[Table, ...]:
        return (
            self.requests,
            self.tokens,
            self.processing,
            self.outcomes,
            self.attempts,
            self.durations,
            self.ttfts,
            self.tpots,
            self.gaps,
            self.token_counts,
            self.badness,
            self.evaluations,
            self.finish_reasons,
            self.observations,
            self.log_entries,
            self.untagged,
            self.lost,
            self.report_slots,
            self.late,
            self.overflow,
            self.feedback,
        )
