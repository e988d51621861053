"""A rollout's record as plain values: what the report and its plots are made from.

Times are milliseconds since 1970, weights basis points, evidence natural logarithms.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """One guardrail at the end. `_n`, `_bad`: users of the last step; `_requests`, `_request_bad`: its requests."""

    metric: str
    verdict: str
    limit: str
    baseline_n: int
    baseline_bad: int
    candidate_n: int
    candidate_bad: int
    worse_log_e: float
    worse_needed: float
    good_log_e: float
    good_needed: float
    baseline_requests: int
    baseline_request_bad: int
    candidate_requests: int
    candidate_request_bad: int
    # Shares of bad users, candidate less baseline, 95 %, at whatever time somebody looks; None: not told.
    difference: tuple[float, float] | None = None
    baseline_interval: tuple[float, float] | None = None
    candidate_interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    at_ms: int
    text: str
    action: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One metric at one time. Counts are requests since the rollout's start."""

    metric: str
    worse_log_e: float
    good_log_e: float
    baseline_requests: int
    baseline_bad: int
    candidate_requests: int
    candidate_bad: int


@dataclass(frozen=True, slots=True)
class Point:
    at_ms: int
    weight_bp: int
    observed_ratio: float
    metrics: tuple[MetricPoint, ...]


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """`ended_ms` is the time of the record while the rollout runs."""

    name: str
    service: str
    baseline: str
    candidate: str
    phase: str
    message: str
    steps_bp: tuple[int, ...]
    weight_bp: int
    started_ms: int
    ended_ms: int
    metrics: tuple[MetricRecord, ...]
    events: tuple[EventRecord, ...]
    sentences: tuple[str, ...]
    points: tuple[Point, ...]
    # What the evidence looked like together, by its name and in a sentence; "": nothing stood out.
    finding: str = ""
    finding_text: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part that the caller adds: rows below their headings, or a text kept as it is (a manifest), or a note."""

    heading: str
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""
    headings: tuple[str, ...] = ("what", "measured")
    note: str = ""
