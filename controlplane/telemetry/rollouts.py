"""Which series a rollout has now. Pure: values in, (metric, value, labels) out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controlplane.telemetry.catalogue import (
    ROLLOUT_EVIDENCE,
    ROLLOUT_EVIDENCE_NEEDED,
    ROLLOUT_FINDING,
    ROLLOUT_OBSERVED,
    ROLLOUT_PHASE,
    ROLLOUT_WEIGHT,
    VERSION_INFO,
)
from controlplane.telemetry.metric import Metric

# A rollout's series leave an hour after it ends.
ENDED_MS_MAX = 3_600_000
LIVE_METRICS = (
    ROLLOUT_PHASE,
    ROLLOUT_WEIGHT,
    ROLLOUT_OBSERVED,
    ROLLOUT_FINDING,
    ROLLOUT_EVIDENCE,
    ROLLOUT_EVIDENCE_NEEDED,
    VERSION_INFO,
)


@dataclass(frozen=True, slots=True)
class RolloutSeries:
    """One rollout as its series show it. `evidence` by (metric, direction): (log evidence, needed)."""

    service: str
    rollout: str
    phase: str
    baseline: str
    candidate: str
    weight_bp: int
    observed_ratio: float | None
    evidence: Mapping[tuple[str, str], tuple[float, float]]
    ended_at_ms: int = 0
    finding: str = "none"

    def is_shown(self, now_ms: int) -> bool:
        return not self.ended_at_ms or now_ms - self.ended_at_ms < ENDED_MS_MAX


def series(row: RolloutSeries) -> Iterator[tuple[Metric, float, tuple[str, ...]]]:
    """Every sample of one rollout."""
    names = (row.service, row.rollout)
    yield ROLLOUT_PHASE, 1, (*names, row.phase)
    yield ROLLOUT_WEIGHT, row.weight_bp / 10_000, (*names, row.candidate)
    yield ROLLOUT_WEIGHT, 1 - row.weight_bp / 10_000, (*names, row.baseline)
    if row.observed_ratio is not None:
        yield ROLLOUT_OBSERVED, row.observed_ratio, (*names, row.candidate)
        yield ROLLOUT_OBSERVED, 1 - row.observed_ratio, (*names, row.baseline)
    # One of the eight names, so a rollout has one such series at a time.
    yield ROLLOUT_FINDING, 1, (*names, row.finding)
    for (metric, direction), (value, needed) in row.evidence.items():
        yield ROLLOUT_EVIDENCE, value, (*names, metric, direction)
        yield ROLLOUT_EVIDENCE_NEEDED, needed, (*names, metric, direction)
    yield VERSION_INFO, 1, (row.service, row.baseline, "baseline", row.rollout)
    yield VERSION_INFO, 1, (row.service, row.candidate, "candidate", row.rollout)
