"""Sentences for people about one metric: the difference, and how much more is needed."""

from dataclasses import replace

from controlplane.engine.people import interval_sentence, more_sentence
from controlplane.evidence.verdict import MetricAssessment, Verdict

HALF = MetricAssessment(
    metric="errors",
    verdict=Verdict.NOT_ENOUGH_EVIDENCE,
    worse_log_e=0.0,
    worse_needed=4.6,
    good_log_e=1.5,
    good_needed=3.0,
    baseline_n=1_000,
    baseline_bad=10,
    candidate_n=1_000,
    candidate_bad=12,
    baseline_requests=1_000,
    baseline_request_bad=10,
    candidate_requests=1_000,
    candidate_request_bad=12,
    limit="",
    findings=(),
)


def test_half_the_evidence_needs_as_many_users_again() -> None:
    assert more_sentence(HALF).startswith("errors: needs about 1,000 more users of the candidate")


def test_nothing_is_foretold_where_evidence_does_not_grow_or_is_enough() -> None:
    assert more_sentence(replace(HALF, good_log_e=-0.5)) == ""
    assert more_sentence(replace(HALF, good_log_e=0.0)) == ""
    assert more_sentence(replace(HALF, verdict=Verdict.GOOD_ENOUGH)) == ""
    assert more_sentence(replace(HALF, candidate_n=0)) == ""


def test_the_difference_has_an_interval_around_what_was_seen() -> None:
    words = interval_sentence(HALF)
    assert words.startswith("errors: candidate minus baseline between -")
    assert " and +" in words
    assert interval_sentence(replace(HALF, baseline_n=0, baseline_bad=0)) == ""
    assert interval_sentence(replace(HALF, metric="latency")) == ""
