from controlplane.engine.annotations import SHOWN_MAX, annotation_sentences
from tests.unit.controlplane.engine.paths import CALM, LATE, path


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
