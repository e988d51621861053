"""The inbox of labels: who is filed where, who is left out, and that neither order nor repeats matter."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.evidence.errors import CountsError, PlanError, WeightError
from controlplane.evidence.labels import ACCURACY, PRECISION, RECALL, SCORE, Label, LabelInbox, LabelPlan, strata_of
from tests.unit.controlplane.evidence.labelling import START, label


def inbox(*, wait_s: int = 10, window_s: int = 1, labels_max: int = 100) -> LabelInbox:
    return LabelInbox(LabelPlan(wait_s, window_s), labels_max=labels_max)


def test_a_window_is_handed_out_once_when_its_wait_is_over() -> None:
    box = inbox()
    assert box.take(label(1, score=1.0))
    assert box.ready(START + 10) == ()
    assert box.is_waiting
    (window,) = box.ready(START + 11)
    assert (window.slot, len(window.labels)) == (START, 1)
    assert box.ready(START + 100) == ()
    assert not box.is_waiting


def test_windows_come_oldest_first_whatever_came_first() -> None:
    box = inbox()
    for slot in (START + 3, START, START + 2):
        box.take(label(slot, slot=slot, score=1.0))
    assert [window.slot for window in box.ready(START + 100)] == [START, START + 2, START + 3]


def test_a_late_label_is_counted_and_left_out() -> None:
    box = inbox()
    assert not box.take(label(1, after=11, score=0.0))
    box.ready(START + 200)
    assert not box.take(label(2, after=1, score=0.0))
    assert box.counts.late == 2


def test_a_label_of_a_pinned_request_never_enters() -> None:
    box = inbox()
    assert not box.take(label(1, weight_class="", score=0.0))
    assert (box.counts.not_randomised, box.counts.waiting) == (1, 0)


def test_past_its_room_the_inbox_refuses_and_says_so() -> None:
    box = inbox(labels_max=1)
    assert box.take(label(1, score=1.0))
    assert not box.take(label(2, score=1.0))
    assert box.take(label(1, score=0.5))
    assert (box.counts.refused_full, box.counts.waiting) == (1, 1)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8), st.sampled_from([0.0, 0.5, 1.0])), max_size=12), st.data()
)
def test_order_and_repeats_change_nothing(told: list[tuple[int, int, float]], data: st.DataObject) -> None:
    labels = [label(request, after=after, score=score) for request, after, score in told]
    shuffled = data.draw(st.permutations(labels + labels))
    boxes = inbox(), inbox()
    for box, given_labels in zip(boxes, (labels, shuffled), strict=True):
        for one in given_labels:
            box.take(one)
    assert boxes[0].ready(START + 100) == boxes[1].ready(START + 100)


def window_of(*labels: Label):
    box = inbox(window_s=60)
    for one in labels:
        assert box.take(one)
    (window,) = box.ready(START + 1_000)
    return strata_of(window)


def test_classes_become_shares_with_their_own_denominators() -> None:
    (stratum,) = window_of(
        label(1, predicted=True, actual=True),
        label(2, predicted=True, actual=False),
        label(3, predicted=False, actual=True),
        label(4, predicted=False, actual=False),
        label(5, predicted=True, actual=True, is_candidate=True),
    )
    shares = {metric: (counts.observed, counts.bad) for metric, counts in stratum.baseline.items()}
    assert shares == {ACCURACY: (4, 2), PRECISION: (2, 1), RECALL: (2, 1)}
    assert stratum.baseline[RECALL].keys_bad == {3}
    assert stratum.candidate[ACCURACY].keys_ok == {5}


def test_scores_become_bins_and_a_key_counts_first_in_its_first_request() -> None:
    (stratum,) = window_of(label(1, slot=START + 1, key=9, score=0.0), label(2, key=9, score=1.0))
    assert stratum.baseline_bins[SCORE].bins == {0: 1, 100: 1}
    assert stratum.baseline_bins[SCORE].first_bins == {9: 0}


def test_weights_stay_apart() -> None:
    strata = window_of(label(1, score=1.0), label(2, weight_bp=2500, score=1.0))
    assert [stratum.weight_bp for stratum in strata] == [2500, 5000]


@pytest.mark.parametrize("score", [math.nan, math.inf, -0.1, 1.1])
def test_a_score_that_is_none_is_refused(score: float) -> None:
    with pytest.raises(CountsError):
        inbox().take(label(1, score=score))


def test_what_cannot_be_is_refused_and_changes_nothing() -> None:
    box, good = inbox(), label(1, score=1.0)
    for bad in (
        replace(good, score=None),
        replace(good, margin=math.nan),
        replace(good, received_slot=START - 1),
        replace(good, received_slot=math.nan),
        replace(good, asked=replace(good.asked, key=-1)),
        replace(good, asked=replace(good.asked, request=1 << 64)),
        replace(good, asked=replace(good.asked, slot=True)),
    ):
        with pytest.raises(CountsError):
            box.take(bad)
    with pytest.raises(WeightError):
        box.take(label(1, weight_bp=10_001, score=1.0))
    assert box.counts.taken == 0


@pytest.mark.parametrize(("wait_s", "window_s"), [(-1, 1), (31 * 86_400, 1), (1, 0), (1, 4000), (1.5, 1)])
def test_waits_that_cannot_be_are_refused(wait_s: int, window_s: int) -> None:
    with pytest.raises(PlanError):
        inbox(wait_s=wait_s, window_s=window_s)
