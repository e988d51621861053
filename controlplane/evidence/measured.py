"""The judge's metrics behind one face: shares of requests (`guardrail.py`), sizes in bins (`binned.py`) and scores
(`scores.py`).

Metrics of one kind are kept together, so that a slot's arithmetic is done for all of them at once.
"""

from collections.abc import Sequence
from typing import Protocol

from controlplane.evidence.alternatives import Counts
from controlplane.evidence.binned import SizeEvidence
from controlplane.evidence.guardrail import ShareEvidence
from controlplane.evidence.harm import excess_limit, limit_words
from controlplane.evidence.histogram import factor_of
from controlplane.evidence.kernel import Floats
from controlplane.evidence.keys import KeyTable
from controlplane.evidence.mixture import Opened, Starts
from controlplane.evidence.plan import AnyPlan, BinnedPlan, GuardrailPlan, ScorePlan
from controlplane.evidence.scores import ScoreEvidence
from controlplane.evidence.strata import Stratum
from serinus.contract.metric import LOWER, SCORES
from serinus.contract.weight import WEIGHT_TOTAL_BP


class MetricsEvidence(Protocol):
    """What the judge asks of metrics of one kind; `metric` is a place among them."""

    def begin_step(self, slot: int | None, *, limits: Sequence[float | None]) -> None: ...

    def opened(self, opened: Opened) -> None: ...

    def fold(self, stratum: Stratum, table: KeyTable, contested: frozenset[int]) -> None: ...

    def mature(self, closed_slot: int) -> None: ...

    def worse_log_e(self) -> Floats:
        """Of each metric."""

    def good_log_e(self) -> Floats:
        """Of each metric."""

    def met(self, metric: int) -> Counts:
        """Keys of the step, and the bad ones."""

    def requested(self, metric: int) -> Counts:
        """Requests of the step, and the bad ones."""

    def findings(self, metric: int) -> tuple[str, ...]: ...


def evidence_of(
    planned: Sequence[AnyPlan], starts: Starts, *, follow_up_slots: int
) -> list[tuple[MetricsEvidence, tuple[int, ...]]]:
    """Empty evidence of each kind, and the places of its metrics in the plan, which are those in the key table."""
    kinds: list[tuple[MetricsEvidence, tuple[int, ...]]] = []
    shares = {place: of for place, of in enumerate(planned) if isinstance(of, GuardrailPlan)}
    sizes = {place: of for place, of in enumerate(planned) if isinstance(of, BinnedPlan)}
    if shares:
        evidence = ShareEvidence(list(shares.values()), list(shares), starts, follow_up=follow_up_slots)
        kinds.append((evidence, tuple(shares)))
    if sizes:
        kinds.append((SizeEvidence(list(sizes.values()), list(sizes), starts), tuple(sizes)))
    if scores := {place: of for place, of in enumerate(planned) if isinstance(of, ScorePlan)}:
        kinds.append((ScoreEvidence(list(scores.values()), list(scores), starts), tuple(scores)))
    return kinds


def limit_of(planned: AnyPlan, next_weight_bp: int | None) -> float | None:
    """What an advance must exclude: an excess, or (sizes) a factor; None when there is nothing to show."""
    if isinstance(planned, GuardrailPlan):
        return excess_limit(planned.budget_bp, next_weight_bp)
    if isinstance(planned, ScorePlan):
        return None if next_weight_bp is None else planned.margin_bp / WEIGHT_TOTAL_BP
    return None if next_weight_bp is None else factor_of(planned.margin_bins)


def words_of(planned: AnyPlan, next_weight_bp: int | None) -> str:
    """The same for people."""
    if isinstance(planned, GuardrailPlan):
        return limit_words(planned.budget_bp, next_weight_bp, is_margin=planned.tolerance_bp is not None)
    if next_weight_bp is None:
        return "no limit: last step"
    if isinstance(planned, ScorePlan):
        words = "mean badness higher" if planned.metric in SCORES else "mean score lower"
        return f"{words} by less than {planned.margin_bp / 100:g} points of 100"
    declared = f" (margin {planned.declared}, in whole steps of 9.1%)" if planned.declared else ""
    factor = factor_of(planned.margin_bins)
    if planned.metric.endswith(LOWER):
        return f"no more than {100 * (1 - 1 / factor):.1f}% below the baseline at every edge{declared}"
    return f"no more than {100 * (factor - 1):.1f}% above the baseline at every edge{declared}"
