"""What the judge's numbers mean for a person: how far the arms are apart, how much more is needed. Decides nothing."""

import math

from controlplane.evidence.alternatives import Counts
from controlplane.evidence.intervals import difference_interval
from controlplane.evidence.planning import remaining
from controlplane.evidence.verdict import MetricAssessment, Verdict
from serinus.contract.metric import HISTOGRAM_UNITS

_ALPHA = 0.05


def interval_sentence(row: MetricAssessment) -> str:
    """The difference of the arms' shares in the step, with an interval that holds whenever somebody looks; "" where an
    arm has shown nothing, and of sizes: they are cut where it tells most, for which an interval would have to pay."""
    if not row.baseline_n or not row.candidate_n or row.metric in HISTOGRAM_UNITS:
        return ""
    counts = Counts(
        baseline_n=row.baseline_n,
        baseline_bad=row.baseline_bad,
        candidate_n=row.candidate_n,
        candidate_bad=row.candidate_bad,
    )
    interval = difference_interval(counts, alpha=_ALPHA)
    between = f"between {100 * interval.low:+.2f} and {100 * interval.high:+.2f} points"
    return f"{row.metric}: candidate minus baseline {between} (95%, at any time)"


def more_sentence(row: MetricAssessment) -> str:
    """How many more of the candidate's users an advance needs if evidence grows as it did in this step; "" if it has
    enough or none grew."""
    if row.verdict is not Verdict.NOT_ENOUGH_EVIDENCE or not row.candidate_n:
        return ""
    more = remaining(row.good_log_e, needed=row.good_needed, per_request=row.good_log_e / row.candidate_n)
    if not math.isfinite(more) or more <= 0.0:
        return ""
    return (
        f"{row.metric}: needs about {math.ceil(more):,} more users of the candidate, if evidence grows as in this step"
    )
