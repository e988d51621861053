"""What the judge's numbers mean for a person: how far the arms are apart, how much more is needed. Decides nothing."""

import math
from dataclasses import dataclass

from controlplane.evidence.alternatives import Counts
from controlplane.evidence.intervals import Interval, difference_interval, share_interval
from controlplane.evidence.labels import is_mean
from controlplane.evidence.planning import remaining
from controlplane.evidence.verdict import MetricAssessment, Verdict
from controlplane.manifest.units import in_time
from serinus.contract.metric import HISTOGRAM_UNITS

_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Intervals:
    """Of the share of bad users in the step, at 95 % each, at whatever time somebody looks."""

    baseline: Interval
    candidate: Interval
    difference: Interval  # candidate less baseline


@dataclass(frozen=True, slots=True)
class Needed:
    """What an advance still needs, if evidence grows as it did in this step. `seconds` None: nobody can tell."""

    users: int  # of the candidate
    seconds: float | None


def intervals(row: MetricAssessment) -> Intervals | None:
    """None where an arm has shown nothing, and of sizes: they are cut where it tells most, for which an interval would
    have to pay. Means have theirs in the finding."""
    if not row.baseline_n or not row.candidate_n or row.metric in HISTOGRAM_UNITS or is_mean(row.metric):
        return None
    counts = Counts(
        baseline_n=row.baseline_n,
        baseline_bad=row.baseline_bad,
        candidate_n=row.candidate_n,
        candidate_bad=row.candidate_bad,
    )
    return Intervals(
        share_interval(row.baseline_bad, row.baseline_n, alpha=_ALPHA),
        share_interval(row.candidate_bad, row.candidate_n, alpha=_ALPHA),
        difference_interval(counts, alpha=_ALPHA),
    )


def needed(row: MetricAssessment, step_seconds: int) -> Needed | None:
    """None if there is enough evidence or none grew. `step_seconds`: how long the step has been judged."""
    if row.verdict is not Verdict.NOT_ENOUGH_EVIDENCE or not row.candidate_n:
        return None
    more = remaining(row.good_log_e, needed=row.good_needed, per_request=row.good_log_e / row.candidate_n)
    if not math.isfinite(more) or more <= 0.0:
        return None
    users = math.ceil(more)
    return Needed(users, users * step_seconds / row.candidate_n if step_seconds > 0 else None)


def interval_sentence(row: MetricAssessment) -> str:
    """The arms and their difference in the step, with intervals; "" where there are none."""
    found = intervals(row)
    if found is None:
        return ""
    return (
        f"{row.metric}: candidate {_between(found.candidate)}, baseline {_between(found.baseline)}, "
        f"candidate minus baseline between {100 * found.difference.low:+.2f} and {100 * found.difference.high:+.2f} "
        "points (95%, at any time)"
    )


def more_sentence(row: MetricAssessment, step_seconds: int = 0) -> str:
    """How many more of the candidate's users an advance needs; "" if it has enough or nobody can tell."""
    found = needed(row, step_seconds)
    if found is None:
        return ""
    rate = "" if found.seconds is None else f" (about {in_time(found.seconds)} at this rate)"
    users = f"{found.users:,} more users of the candidate{rate}"
    return f"{row.metric}: needs about {users}, if evidence grows as in this step"


def _between(interval: Interval) -> str:
    return f"{100 * interval.low:.2f}% to {100 * interval.high:.2f}%"
