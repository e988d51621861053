"""Strata for tests, written short: who failed and who did not, per arm."""

from collections.abc import Iterable

from controlplane.evidence.judge import GuardrailPlan, Judge, JudgePlan
from controlplane.evidence.strata import MetricCounts, Stratum
from controlplane.evidence.verdict import Assessment, MetricAssessment

ERRORS = "errors"


def counted(ok: Iterable[int] = (), bad: Iterable[int] = ()) -> MetricCounts:
    """One request per key."""
    good, failed = frozenset(ok), frozenset(bad)
    return MetricCounts(len(good) + len(failed), len(failed), good, failed)


def stratum(
    slot: int,
    *,
    weight_bp: int = 5000,
    baseline: MetricCounts | None = None,
    candidate: MetricCounts | None = None,
    weight_class: str = "everyone",
    snapshot: str = "s1",
    metric: str = ERRORS,
) -> Stratum:
    return Stratum(
        slot=slot,
        snapshot=snapshot,
        weight_class=weight_class,
        weight_bp=weight_bp,
        baseline={metric: baseline or counted()},
        candidate={metric: candidate or counted()},
    )


def judge(
    *,
    tolerance_bp: int | None = None,
    budget_bp: int = 500,
    rollback_alpha: float = 0.01,
    follow_up_slots: int = 0,
    keys_max: int = 1_000_000,
) -> Judge:
    """A judge of errors alone."""
    guardrail = GuardrailPlan(ERRORS, 1.0, tolerance_bp, budget_bp)
    return Judge(JudgePlan((guardrail,), rollback_alpha, 0.05, follow_up_slots), keys_max=keys_max)


def keys(start: int, count: int) -> range:
    return range(start, start + count)


def begun(**options: object) -> Judge:
    """A judge at 50 %, on the way to 100 %, whose first step began in slot 100."""
    started = judge(**options)  # type: ignore[arg-type]
    started.begin_step(slot=100, weight_bp=5000, next_weight_bp=10_000)
    return started


def row(assessed: Assessment) -> MetricAssessment:
    (only,) = assessed.rows
    return only
