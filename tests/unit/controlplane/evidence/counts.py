"""Strata for tests, written short: who failed and who did not, per arm."""

from collections import Counter
from collections.abc import Iterable

from controlplane.evidence.judge import BinnedPlan, GuardrailPlan, Judge, JudgePlan
from controlplane.evidence.strata import BinCounts, MetricCounts, Stratum
from controlplane.evidence.verdict import Assessment, MetricAssessment

ERRORS = "errors"
TTFT = "ttft"


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


def binned(by_key: dict[int, int]) -> BinCounts:
    """One observation per key."""
    return BinCounts(dict(Counter(by_key.values())), by_key)


def sized(
    slot: int,
    *,
    baseline: dict[int, int],
    candidate: dict[int, int] | None = None,
    weight_bp: int = 5000,
    metric: str = TTFT,
) -> Stratum:
    """A stratum of one metric in bins, key -> bin."""
    arms = ({metric: binned(baseline)}, {metric: binned(candidate or {})})
    return Stratum(slot, "s1", "everyone", weight_bp, {}, {}, *arms)


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


def begun_with_max(max_bp: int) -> Judge:
    """The same with an absolute limit."""
    started = Judge(JudgePlan((GuardrailPlan(ERRORS, 1.0, None, 500, max_bp),), 0.01, 0.05, 0))
    started.begin_step(slot=100, weight_bp=5000, next_weight_bp=10_000)
    return started


def begun_binned(
    *, tolerated: int = 0, margin: int = 2, limits: tuple[int, ...] = (), edges_seen: bool = True
) -> Judge:
    """A judge of one metric in bins, at 50 % since slot 100; the baseline has shown bins 80..99 before."""
    started = Judge(JudgePlan((BinnedPlan(TTFT, 1.0, tolerated, margin, limits),), 0.01, 0.05, 0))
    if edges_seen:
        started.fold(99, [sized(99, weight_bp=0, baseline={10**6 + key: 80 + key % 20 for key in range(400)})])
    started.begin_step(slot=100, weight_bp=5000, next_weight_bp=10_000)
    return started


def row(assessed: Assessment) -> MetricAssessment:
    (only,) = assessed.rows
    return only
