"""A plan changed while its rollout runs: every phase, and never a step forward."""

import itertools

import pytest

from controlplane.rollout.edit import EditError, edited
from controlplane.rollout.model import (
    Baking,
    Observing,
    Paused,
    Phase,
    Preparing,
    Publishing,
    RollingBack,
    Rollout,
    weight_bp_of,
)
from tests.unit.controlplane.manifest.samples import ROLLOUT
from tests.unit.controlplane.rollout.facts import T0_MS, rollout, spec

NOW_MS = T0_MS + 60_000
LATER_MS = NOW_MS + 10_000


def plan(steps: str) -> str:
    return ROLLOUT.replace("[10%, 50%, 100%]", steps)


RUNNING: dict[str, Phase] = {
    "preparing": Preparing(T0_MS),
    "publishing": Publishing(1, NOW_MS),
    "observing": Observing(1, NOW_MS),
    "baking": Baking(2, NOW_MS),
    "paused": Paused(Observing(1, NOW_MS), NOW_MS, "ada", "lunch"),
}
PLANS = (
    "[10%, 50%, 100%]",
    "[10%, 20%, 100%]",
    "[1%, 5%, 60%, 100%]",
    "[10%, 100%]",
    "[50%, 100%]",
    "[1%, 2%, 3%, 100%]",
)


@pytest.mark.parametrize(("phase", "steps"), list(itertools.product(RUNNING, PLANS)))
def test_no_change_of_the_steps_ever_moves_a_user_to_the_candidate(phase: str, steps: str) -> None:
    before = rollout(RUNNING[phase])
    after = edited(before, spec(plan(steps)), LATER_MS)
    assert weight_bp_of(after) <= weight_bp_of(before)
    assert (weight_bp_of(after) == 0) == (weight_bp_of(before) == 0)
    assert isinstance(after.phase, Paused) == (phase == "paused")
    begun_ms = T0_MS if steps == PLANS[0] else LATER_MS
    assert (after.revision, after.started_at_ms) == (before.revision + 1, begun_ms)


def at(phase: Phase, steps: str) -> Rollout:
    return edited(rollout(phase), spec(plan(steps)), LATER_MS)


def test_it_goes_on_at_the_highest_step_that_is_not_above_the_weight_in_force() -> None:
    assert at(Observing(1, NOW_MS), "[10%, 50%, 75%, 100%]").phase == Publishing(1, LATER_MS)
    assert at(Observing(1, NOW_MS), "[1%, 10%, 20%, 100%]").phase == Publishing(2, LATER_MS)
    assert at(Observing(1, NOW_MS), "[50%, 100%]").phase == Publishing(0, LATER_MS)
    assert at(Preparing(T0_MS), "[50%, 100%]").phase == Preparing(LATER_MS)
    paused = at(RUNNING["paused"], "[10%, 100%]").phase
    assert paused == Paused(Publishing(0, LATER_MS), NOW_MS, "ada", "lunch")


def test_a_new_bake_takes_its_holdback_out_of_the_weight_in_force() -> None:
    """100 % is above 99 %: the step before it is the highest that moves nobody."""
    baked = spec(ROLLOUT + "  bake: {for: 10m}\n")
    assert edited(rollout(Observing(2, NOW_MS)), baked, LATER_MS).phase == Publishing(2, LATER_MS)
    unbaked = edited(rollout(Baking(2, NOW_MS), text=ROLLOUT + "  bake: {for: 10m}\n"), spec(), LATER_MS)
    assert unbaked.phase == Publishing(1, LATER_MS)


def test_a_plan_whose_first_step_is_above_the_weight_is_refused() -> None:
    with pytest.raises(EditError, match=r"stands at 10%, and the first step of the new plan is above it; next: add"):
        at(Observing(0, NOW_MS), "[20%, 100%]")


@pytest.mark.parametrize(
    ("phase", "text", "part"),
    [
        (RollingBack("worse", False, NOW_MS), plan(PLANS[1]), "is rolling back"),
        (Publishing(2, NOW_MS, waived=True), plan(PLANS[1]), "is being promoted without analysis"),
        (
            Paused(Observing(2, NOW_MS, waived=True), NOW_MS, "ada", ""),
            plan(PLANS[1]),
            "is being promoted without analysis",
        ),
        (Observing(0, NOW_MS), ROLLOUT.replace("candidate: v2", "candidate: v3"), "service and candidate are fixed"),
        (Observing(0, NOW_MS), ROLLOUT.replace("service: chat", "service: talk"), "service and candidate are fixed"),
    ],
)
def test_what_cannot_be_changed_says_so(phase: Phase, text: str, part: str) -> None:
    with pytest.raises(EditError, match=part):
        edited(rollout(phase), spec(text), LATER_MS)


TOLD = (
    ROLLOUT.rstrip()
    + """
  notify: [{webhook: "http://127.0.0.1:9000/hook"}]
  alerts: {on_firing: hold}
"""
)


@pytest.mark.parametrize("phase", [*RUNNING.values(), RollingBack("worse", False, NOW_MS)])
def test_who_is_told_may_change_in_any_phase_and_nothing_else_does(phase: Phase) -> None:
    before = rollout(phase)
    after = edited(before, spec(TOLD), LATER_MS)
    assert after.spec.notify
    assert (after.phase, after.started_at_ms, after.revision) == (phase, before.started_at_ms, before.revision + 1)
