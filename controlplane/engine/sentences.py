"""What the judge says, in sentences for people: the counts, and the evidence against what is needed. Pure."""

from controlplane.engine.labels import RolloutLabels
from controlplane.evidence.labels import is_mean
from controlplane.evidence.verdict import Assessment, MetricAssessment, Verdict
from serinus.contract.metric import HISTOGRAM_UNITS


def joined_sentence(seen: Assessment | None, labels: RolloutLabels) -> str:
    """What decides, of what is seen at once and of labels; "" if nothing is judged yet."""
    is_seen_worse = seen is not None and seen.verdict is Verdict.WORSE
    if not is_seen_worse and (worse := labels.worse_row()) is not None:
        return metric_sentence(worse, verdict=Verdict.WORSE)
    if seen is None or is_seen_worse:
        return assessment_sentence(seen) if seen is not None else ""
    thin = (metric_sentence(row) for row in labels.rows() if row.verdict is Verdict.NOT_ENOUGH_EVIDENCE)
    holding = [*labels.sentences(holding=True), *thin] or [metric_sentence(row) for row in labels.rows()]
    if labels.verdict(seen.verdict) is Verdict.GOOD_ENOUGH:
        return "; ".join([assessment_sentence(seen), *holding])
    own = [] if holding and seen.verdict is Verdict.GOOD_ENOUGH else [assessment_sentence(seen)]
    return "; ".join([*own, *holding])


def assessment_sentence(assessment: Assessment) -> str:
    """The counts and the evidence in one sentence, the deciding metrics first."""
    order = {Verdict.WORSE: 0, Verdict.NOT_ENOUGH_EVIDENCE: 1, Verdict.GOOD_ENOUGH: 2}
    rows = sorted(assessment.rows, key=lambda row: order[row.verdict])
    if assessment.verdict is Verdict.WORSE:
        # Several metrics decide together by their average; name the one that carries the evidence.
        return metric_sentence(max(rows, key=lambda row: row.worse_log_e), verdict=Verdict.WORSE)
    if assessment.verdict is Verdict.NOT_ENOUGH_EVIDENCE:
        rows = [row for row in rows if row.verdict is Verdict.NOT_ENOUGH_EVIDENCE] or rows
    return "; ".join(metric_sentence(row) for row in rows)


def metric_sentence(row: MetricAssessment, *, verdict: Verdict | None = None) -> str:
    """One metric: candidate against baseline in users of the step, and the evidence against what is needed."""
    counts = (
        f"{row.metric}: candidate {row.candidate_bad} of {row.candidate_n} users, "
        f"baseline {row.baseline_bad} of {row.baseline_n}"
    )
    if is_mean(row.metric) and row.findings:
        counts = f"{row.metric}: {row.findings[-1]}"
    elif row.metric in HISTOGRAM_UNITS and row.findings:
        # Of a size, a share means nothing without where it was cut.
        counts += f" ({row.findings[-1]})"
    match verdict or row.verdict:
        case Verdict.WORSE:
            return f"{counts}: worse, evidence {row.worse_log_e:.1f} of {row.worse_needed:.1f} needed (ln)"
        case Verdict.GOOD_ENOUGH:
            return f"{counts}: good enough ({row.limit})"
        case Verdict.NOT_ENOUGH_EVIDENCE:
            return (
                f"{counts}: not enough evidence, {row.good_log_e:.1f} of {row.good_needed:.1f} needed (ln) "
                f"that {row.limit}"
            )
