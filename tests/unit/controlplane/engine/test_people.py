"""Sentences for people about one metric: the difference, and how much more is needed."""

from dataclasses import replace

from controlplane.engine.people import Needed, interval_sentence, intervals, more_sentence, needed
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


def test_how_long_they_take_is_told_from_the_rate_of_the_step() -> None:
    assert needed(HALF, 500) == Needed(1_000, 500.0)
    assert "more users of the candidate (about 500 s at this rate)" in more_sentence(HALF, 500)
    assert needed(HALF, 0) == Needed(1_000, None)
    assert "at this rate" not in more_sentence(HALF)


def test_the_arms_have_intervals_of_their_own_inside_which_their_shares_lie() -> None:
    found = intervals(HALF)
    assert found is not None
    assert found.baseline.low < 0.01 < found.baseline.high
    assert found.candidate.low < 0.012 < found.candidate.high
    assert found.difference.low < found.candidate.low - found.baseline.high
    assert found.difference.high > found.candidate.high - found.baseline.low


def test_nothing_is_foretold_where_evidence_does_not_grow_or_is_enough() -> None:
    assert more_sentence(replace(HALF, good_log_e=-0.5)) == ""
    assert more_sentence(replace(HALF, good_log_e=0.0)) == ""
    assert more_sentence(replace(HALF, verdict=Verdict.GOOD_ENOUGH)) == ""
    assert more_sentence(replace(HALF, candidate_n=0)) == ""


def test_the_difference_has_an_interval_around_what_was_seen() -> None:
    words = interval_sentence(HALF)
    assert words.startswith(
        "errors: candidate 0.37% to 2.56%, baseline 0.26% to 2.27%, candidate minus baseline between -"
    )
    assert " and +" in words
    assert interval_sentence(replace(HALF, baseline_n=0, baseline_bad=0)) == ""
    assert interval_sentence(replace(HALF, metric="latency")) == ""
