"""What the API shows of slices beside the evidence."""

from controlplane.admin.slices.wire import add_notes
from serinus.v1 import admin_pb2
from tests.unit.controlplane.engine.test_slices import told


def test_every_slice_is_shown_and_a_worse_one_is_noted_in_words() -> None:
    view = admin_pb2.RolloutView()
    add_notes(view, told(cohorts=("eu", "quiet"), bad={"eu": 6}), {})
    assert [(row.dimension, row.value, row.named) for row in view.slices] == [
        ("cohort", "eu", True),
        ("cohort", "everyone", False),
    ]
    (eu, everyone), note = view.slices, view.findings[0]
    assert (eu.baseline_requests, eu.baseline_bad, eu.candidate_requests, eu.candidate_bad) == (400, 0, 400, 120)
    assert eu.worse_log_e > everyone.worse_log_e
    assert note.startswith("slice eu: candidate 120 of 400 failed, baseline 0 of 400, evidence ")
    assert note.endswith("slices are shown and decide nothing")


def test_a_service_without_cohorts_shows_no_slices() -> None:
    view = admin_pb2.RolloutView()
    add_notes(view, told(cohorts=(), bad={"eu": 6}), {})
    assert not view.slices
