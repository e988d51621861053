import pytest

from controlplane.evidence.diagnostics.annotation import Cause, Effect
from controlplane.evidence.diagnostics.causes import DriftReadings, drift_annotations
from controlplane.evidence.diagnostics.drift import Reading

DRIFT, STILL = Reading("psi", 0.4, 0.1, 0.05), Reading("psi", 0.02, 0.1, 0.05)


def test_drift_of_both_from_the_reference_is_no_evidence_against_the_candidate() -> None:
    """Trap: the training data are of last year; both versions see that."""
    (only,) = drift_annotations("prompt length", DriftReadings(DRIFT, DRIFT, STILL, STILL))
    assert (only.cause, only.effect) == (Cause.BOTH_CHANGED, Effect.NOTE)
    assert "no evidence against the candidate" in only.sentence


def test_unlike_inputs_of_randomised_arms_are_a_routing_fault_and_hold() -> None:
    first, second = drift_annotations("prompt length", DriftReadings(STILL, DRIFT, DRIFT, DRIFT))
    assert (first.cause, first.effect) == (Cause.INPUTS_DIFFER, Effect.HOLD)
    assert (second.cause, second.effect) == (Cause.OUTPUTS_DIFFER, Effect.NOTE)
    assert "as the requests do" in second.sentence


def test_other_answers_to_alike_requests_are_noted_only() -> None:
    (only,) = drift_annotations("answer length", DriftReadings(inputs=STILL, outputs=DRIFT))
    assert (only.cause, only.effect) == (Cause.OUTPUTS_DIFFER, Effect.NOTE)
    assert only.strength == pytest.approx(4.0)
    assert only.sentence.endswith("(psi 0.4 over 0.1)")


@pytest.mark.parametrize("readings", [DriftReadings(), DriftReadings(STILL, STILL, STILL, STILL), DriftReadings(DRIFT)])
def test_what_did_not_drift_or_was_not_measured_says_nothing(readings: DriftReadings) -> None:
    assert drift_annotations("x", readings) == ()
