"""Every finished request on the dashboards, late ones too. Counts only; evidence is `window.py`."""

from extproc.aggregate.slot import Outcome
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.outcome import FAILURES, OutcomeClass


def _label(kind: OutcomeClass) -> str:
    if kind is OutcomeClass.OK:
        return "ok"
    if kind is OutcomeClass.LIMITED:
        return "limited"
    return "failed" if kind in FAILURES else "client"


_OUTCOME_LABEL = {kind: _label(kind) for kind in OutcomeClass}
# What the API documents. A server may write anything: the rest is "other".
_FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})


def count(catalogue: Catalogue, outcome: Outcome, *, attempts: int) -> None:
    """Add one outcome to the counters and histograms. `attempts`: how often a server was tried for it, 0 for never."""
    kind = outcome.outcome_class
    error_class = "" if kind is OutcomeClass.OK else kind.value
    labels = (outcome.service, outcome.version, outcome.cohort, _OUTCOME_LABEL[kind], error_class)
    catalogue.outcomes.add(labels)
    if attempts:
        catalogue.attempts.add((outcome.service, outcome.version), attempts)
    catalogue.durations.observe(outcome.duration_us / 1e6, (outcome.service, outcome.version))
    reason = outcome.finish_reason
    if reason is not None:
        name = reason if reason in _FINISH_REASONS else "other"
        catalogue.finish_reasons.add((outcome.service, outcome.version, name))
