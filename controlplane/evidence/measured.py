"""The judge's metrics behind one face: shares of requests (`guardrail.py`) and sizes in bins (`binned.py`)."""

from typing import Protocol, assert_never

from controlplane.evidence.alternatives import Counts
from controlplane.evidence.binned import BinnedEvidence
from controlplane.evidence.guardrail import GuardrailEvidence
from controlplane.evidence.harm import excess_limit, limit_words
from controlplane.evidence.histogram import factor_of
from controlplane.evidence.keys import KeyTable
from controlplane.evidence.mixture import Opened, Starts
from controlplane.evidence.plan import BinnedPlan, GuardrailPlan
from controlplane.evidence.strata import Stratum
from serinus.contract.weight import WEIGHT_TOTAL_BP


class MetricEvidence(Protocol):
    """What the judge asks of a metric. All but `fold` and `opened` are cheap."""

    metric: str

    @property
    def met(self) -> Counts:
        """Keys of the step, and the bad ones."""

    @property
    def requested(self) -> Counts:
        """Requests of the step, and the bad ones."""

    def begin_step(self, slot: int | None, *, limit: float | None) -> None: ...

    def opened(self, opened: Opened) -> None: ...

    def fold(self, stratum: Stratum, table: KeyTable, contested: frozenset[int]) -> None: ...

    def mature(self, closed_slot: int) -> None: ...

    def worse_log_e(self) -> float: ...

    def good_log_e(self) -> float: ...

    def findings(self) -> tuple[str, ...]: ...


def evidence_of(
    planned: GuardrailPlan | BinnedPlan, column: int, starts: Starts, *, follow_up_slots: int
) -> MetricEvidence:
    """Empty evidence; `column` is the metric's place in the key table."""
    match planned:
        case GuardrailPlan():
            return GuardrailEvidence(
                planned.metric,
                column,
                starts,
                tolerance=None if planned.tolerance_bp is None else planned.tolerance_bp / WEIGHT_TOTAL_BP,
                limit=None if planned.max_bp is None else planned.max_bp / WEIGHT_TOTAL_BP,
                follow_up=follow_up_slots,
            )
        case BinnedPlan():
            return BinnedEvidence(planned, column, starts)
        case _:
            assert_never(planned)


def limit_of(planned: GuardrailPlan | BinnedPlan, next_weight_bp: int | None) -> float | None:
    """What an advance must exclude: an excess, or (sizes) a factor; None when there is nothing to show."""
    if isinstance(planned, GuardrailPlan):
        return excess_limit(planned.budget_bp, next_weight_bp)
    return None if next_weight_bp is None else factor_of(planned.margin_bins)


def words_of(planned: GuardrailPlan | BinnedPlan, next_weight_bp: int | None) -> str:
    """The same for people."""
    if isinstance(planned, GuardrailPlan):
        return limit_words(planned.budget_bp, next_weight_bp, is_margin=planned.tolerance_bp is not None)
    if next_weight_bp is None:
        return "no limit: last step"
    return f"no more than {100 * (factor_of(planned.margin_bins) - 1):.1f}% above the baseline at every edge"
