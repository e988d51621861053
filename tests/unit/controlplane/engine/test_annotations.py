from controlplane.engine.annotations import SHOWN_MAX, annotation_sentences
from controlplane.engine.evidence import MetricSample, Sample


def path(baseline: list[int], candidate: list[int], *, metrics: int = 1) -> list[Sample]:
    """100 requests a slot and version, so many of them bad."""
    return [
        Sample(
            at_ms=1_000 * slot,
            weight_bp=5_000,
            observed_ratio=0.5,
            metrics=tuple(
                MetricSample(
                    f"errors-{name}",
                    worse_log_e=0.0,
                    good_log_e=0.0,
                    baseline_requests=100 * (slot + 1),
                    baseline_bad=sum(baseline[: slot + 1]),
                    candidate_requests=100 * (slot + 1),
                    candidate_bad=sum(candidate[: slot + 1]),
                )
                for name in range(metrics)
            ),
        )
        for slot in range(len(baseline))
    ]


CALM, LATE = [1, 2] * 90, [1, 2] * 45 + [15] * 90


def test_a_version_that_left_what_was_usual_is_told_in_a_sentence() -> None:
    sentences = annotation_sentences(path(CALM, LATE))
    assert "errors-0: the candidate left what was usual for it, the other version did not" in sentences


def test_what_both_do_is_told_as_shared() -> None:
    assert annotation_sentences(path(LATE, LATE))[0].startswith("errors-0: both versions left what was usual")


def test_a_calm_path_an_empty_one_and_a_short_one_say_nothing() -> None:
    assert annotation_sentences(path(CALM, CALM)) == ()
    assert annotation_sentences([]) == ()
    assert annotation_sentences(path(CALM[:5], CALM[:5])) == ()


def test_no_more_than_three_are_shown() -> None:
    assert len(annotation_sentences(path(CALM, LATE, metrics=9))) == SHOWN_MAX


def test_counts_that_cannot_be_read_cost_their_annotation_and_nothing_else() -> None:
    """Totals that fall, as a metric that counts something else after a step would."""
    broken = path(LATE, LATE)
    backwards = broken[:90] + broken[:90]
    assert annotation_sentences(backwards) == ()
