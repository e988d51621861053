"""`explain --at`: which step is meant, and what was known while it was in force."""

import pytest

from controlplane.cli.window import sentences, weight_of
from serinus.v1 import admin_pb2

STEPS = [100, 2_500, 10_000]


def sample(at_s: int, weight_bp: int, bad: int) -> admin_pb2.Sample:
    row = admin_pb2.MetricSample(
        metric="errors", worse_log_e=1.5, good_log_e=2.0, baseline_requests=90, candidate_requests=10, candidate_bad=bad
    )
    return admin_pb2.Sample(at_ms=at_s * 1000, weight_bp=weight_bp, observed_ratio=0.25, metrics=[row])


def event(at_s: float, action: str, text: str) -> admin_pb2.EventView:
    return admin_pb2.EventView(at_ms=round(at_s * 1000), action=action, text=text)


TOLD = admin_pb2.ExplainResponse(
    rollout=admin_pb2.RolloutView(name="chat-v2", steps_bp=STEPS, started_at_ms=100_000),
    samples=[sample(101, 100, 0), sample(102, 100, 1), sample(110, 2_500, 2), sample(120, 9_900, 3)],
    events=[event(100.5, "hold", "begun"), event(101.5, "hold", "min_step"), event(103.5, "advance", "to 25%")],
)


@pytest.mark.parametrize(("text", "weight_bp"), [("1", 100), ("3", 10_000), ("25%", 2_500), ("100%", 10_000)])
def test_a_step_is_named_by_its_number_or_its_weight(text: str, weight_bp: int) -> None:
    assert weight_of(text, TOLD.rollout) == weight_bp


@pytest.mark.parametrize("text", ["0", "4", "30%", "soon", ""])
def test_what_is_no_step_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"steps: 1 \(1%\), 2 \(25%\), 3 \(100%\)"):
        weight_of(text, TOLD.rollout)


def test_a_step_is_told_by_its_window_its_numbers_and_its_decisions() -> None:
    assert list(sentences(TOLD, 100)) == [
        "at 1%: judged from 1.0 s to 3.0 s after the start",
        "observed share of the candidate's users: 25.0%",
        "errors: since the start candidate 1 of 10 requests, baseline 0 of 90; evidence (ln) worse 1.5, good enough 2.0",
        "1.5 s  hold: min_step",
        "3.5 s  advance: to 25%",
    ]


def test_the_last_step_is_known_by_the_weight_that_bakes_and_one_that_never_came_says_so() -> None:
    assert next(sentences(TOLD, 10_000)) == "at 100%: judged from 20.0 s to 21.0 s after the start"
    told = admin_pb2.ExplainResponse(rollout=TOLD.rollout)
    assert list(sentences(told, 2_500)) == [
        "at 25%: nothing was judged (not begun, or gone by before a second had closed)"
    ]
