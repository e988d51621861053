"""What the judge says: three values, never two, with the numbers they rest on.

Evidence is the natural logarithm of an e-value: 0 says nothing, `ln(1/alpha)` decides. Nothing here decides; `judge.py`
fills these values in and `rollout/` acts on them.
"""

import enum
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    WORSE = "worse"
    GOOD_ENOUGH = "good_enough"
    NOT_ENOUGH_EVIDENCE = "not_enough_evidence"


@dataclass(frozen=True, slots=True)
class MetricAssessment:
    """One guardrail. `_n` and `_bad` count keys first met since the step began (bad: within the follow-up)."""

    metric: str
    verdict: Verdict
    worse_log_e: float
    worse_needed: float  # the metric decides alone from here; together they may decide earlier
    good_log_e: float  # the smaller of the keys' and the requests' evidence
    good_needed: float
    baseline_n: int
    baseline_bad: int
    candidate_n: int
    candidate_bad: int
    baseline_requests: int
    baseline_request_bad: int
    candidate_requests: int
    candidate_request_bad: int
    limit: str
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ObservedShare:
    """The split that was seen, against the weight in force: distinct keys of the step under exactly that weight."""

    candidate_keys: int
    keys: int
    weight_bp: int
    p_value: float
    is_plausible: bool


@dataclass(frozen=True, slots=True)
class Assessment:
    """All guardrails together. `overall_worse_log_e` never falls again once it has decided."""

    verdict: Verdict
    rows: tuple[MetricAssessment, ...]
    share: ObservedShare
    overall_worse_log_e: float
    blamed: tuple[str, ...] = ()  # metrics that e-BH names at rollback_alpha, the strongest first; ranks, never decides
