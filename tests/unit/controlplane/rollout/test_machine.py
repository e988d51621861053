"""The rollout machine, read as a specification. Every phase meets every event."""

import itertools
from dataclasses import replace

import pytest

from controlplane.evidence.verdict import Verdict
from controlplane.rollout.effects import BeginStep, PublishWeight, SetBaseline
from controlplane.rollout.events import (
    Abort,
    Approve,
    DataFact,
    Event,
    Facts,
    FleetFact,
    HealthFact,
    HooksEnded,
    Observed,
    Pause,
    Promote,
    Resume,
    Retry,
    RoutingFact,
    SidecarFact,
)
from controlplane.rollout.machine import advance
from controlplane.rollout.model import (
    Aborted,
    Baking,
    HookKind,
    HookRun,
    Observing,
    Paused,
    Phase,
    Preparing,
    Promoted,
    Publishing,
    Queued,
    RolledBack,
    RollingBack,
    weight_bp_of,
)
from controlplane.rollout.transition import Action, ApprovalError, IllegalEventError
from controlplane.store.journal import decode, encode
from tests.unit.controlplane.manifest.samples import ROLLOUT
from tests.unit.controlplane.rollout.facts import PLAN, T0_MS, right, rollout, without

NOW_MS = T0_MS + 60_000
LATER_MS = NOW_MS + 10_000

PHASES: dict[str, Phase] = {
    "queued": Queued(T0_MS, "chat-v1"),
    "preparing": Preparing(T0_MS),
    "publishing first": Publishing(0, NOW_MS),
    "publishing last": Publishing(2, NOW_MS),
    "observing first": Observing(0, NOW_MS),
    "observing last": Observing(2, NOW_MS),
    "baking": Baking(2, NOW_MS),
    "hook failed": Observing(0, NOW_MS, hooks=HookRun(HookKind.BEFORE_STEP, "k/1/1", NOW_MS, "failed", "no")),
    "paused": Paused(Observing(1, NOW_MS), NOW_MS, "ada", "lunch"),
    "rolling back": RollingBack("worse", aborted=False, since_ms=NOW_MS),
    "rolled back": RolledBack("worse", NOW_MS),
    "aborted": Aborted("aborted by ada", NOW_MS),
    "promoted": Promoted(NOW_MS),
}
EVENTS: dict[str, Event] = {
    "all right": Observed(LATER_MS, right(step_index=0)),
    "good enough": Observed(LATER_MS, right(step_index=0, verdict=Verdict.GOOD_ENOUGH)),
    "worse": Observed(LATER_MS, right(step_index=0, verdict=Verdict.WORSE)),
    "no proxy": Observed(LATER_MS, without(right(), fleet=FleetFact(connected=0))),
    "pause": Pause(LATER_MS, "ada", "x"),
    "resume": Resume(LATER_MS, "ada", "x"),
    "promote": Promote(LATER_MS, "ada", "x", skip_analysis=False),
    "promote, skip": Promote(LATER_MS, "ada", "x", skip_analysis=True),
    "abort": Abort(LATER_MS, "ada", "x"),
    "approve": Approve(LATER_MS, "ada", "x", 5_000),
    "retry": Retry(LATER_MS, "ada", "x"),
    "hooks ended": HooksEnded(LATER_MS, "k/1/1", True, "yes"),
}
HAND = ("pause", "resume", "promote", "promote, skip", "abort", "approve")
TERMINAL = ("rolled back", "aborted", "promoted")
# Where an operator's command is illegal. Everything that is not named here is legal.
ILLEGAL = {
    *itertools.product(TERMINAL, HAND),
    *itertools.product(("rolling back",), HAND),
    *((("queued", hand)) for hand in HAND if hand != "abort"),
    *((phase, "retry") for phase in PHASES if phase not in ("hook failed", "queued", "rolled back", "aborted")),
    *((phase, "resume") for phase in PHASES if phase != "paused"),
    ("paused", "pause"),
    ("preparing", "promote"),
    ("publishing first", "promote"),
    ("publishing last", "promote"),
}
# Where the step that is approved does not come next; "paused" stands in that step.
UNASKED = {("preparing", "approve"), *((phase, "approve") for phase in ("publishing first", "publishing last"))}
UNASKED |= {(phase, "approve") for phase in ("observing last", "baking", "paused")}


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(PHASES, EVENTS)))
def test_every_phase_answers_every_event_or_refuses_it_and_changes_nothing(phase: str, event: str) -> None:
    state = rollout(PHASES[phase], text=PLAN)
    if (phase, event) in ILLEGAL:
        with pytest.raises(IllegalEventError, match=r"chat-v2 is .*: cannot .* it; next: serinus get rollout chat-v2"):
            advance(state, EVENTS[event])
        return
    if (phase, event) in UNASKED:
        with pytest.raises(ApprovalError, match="nothing was changed"):
            advance(state, EVENTS[event])
        return
    transition = advance(state, EVENTS[event])
    moved = transition.state is not state
    assert transition.state.revision == state.revision + moved
    assert transition.decision.text
    assert moved or transition.effects == ()
    published = [effect.weight_bp for effect in transition.effects if isinstance(effect, PublishWeight)]
    assert published in ([], [weight_bp_of(transition.state)])
    if phase in TERMINAL:
        assert moved == (event == "retry")


@pytest.mark.parametrize(
    "phase", [name for name in PHASES if name not in (*TERMINAL, "rolling back", "preparing", "queued")]
)
@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"fleet": FleetFact(connected=0)},
        {"sidecars": SidecarFact(connected=0)},
        {"data": DataFact(30, 10, 990, 0, 0)},
        {"routing": RoutingFact(5, 5)},
    ],
)
def test_evidence_of_worse_rolls_back_first_whatever_else_is_wrong(phase: str, broken: dict[str, object]) -> None:
    facts = without(right(step_index=0, verdict=Verdict.WORSE), **broken)
    transition = advance(rollout(PHASES[phase], text=PLAN), Observed(LATER_MS, facts))
    assert isinstance(transition.state.phase, RollingBack)
    assert transition.effects == (PublishWeight(0),)
    assert transition.decision.action is Action.ROLLBACK


GOOD = right(step_index=0, verdict=Verdict.GOOD_ENOUGH)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (without(GOOD, fleet=FleetFact(connected=0)), "no_proxy"),
        (without(GOOD, fleet=FleetFact(2, waiting=("edge-1",))), "waiting_for_proxies"),
        (without(GOOD, fleet=FleetFact(2, rejections=("edge-1: Sum of weights",))), "proxy_rejected"),
        (without(GOOD, fleet=FleetFact(2, duplicates=("edge-1",))), "duplicate_node"),
        (without(GOOD, fleet=FleetFact(2, waiting=("edge-1",), warming=("chat/v2",))), "waiting_for_proxies"),
        (without(GOOD, sidecars=SidecarFact(0)), "no_sidecar"),
        (without(GOOD, sidecars=SidecarFact(2, silent=("edge-2",))), "sidecar_silent"),
        (without(GOOD, sidecars=SidecarFact(2, waiting=("edge-2",))), "waiting_for_sidecars"),
        (without(GOOD, sidecars=SidecarFact(2, rejections=("edge-2: bad",))), "sidecar_rejected"),
        (without(GOOD, sidecars=SidecarFact(2, ahead=(("edge-2", 40),))), "sidecar_clock"),
        (without(GOOD, data=DataFact(30, 900, 100, 900, 0)), "untagged_requests"),
        (without(GOOD, data=DataFact(30, 900, 0, 900, 90)), "lost_log_entries"),
        (without(GOOD, data=DataFact(30, 900, 0, 900, 0, ("edge-1",))), "counters_unreadable"),
        (without(GOOD, routing=RoutingFact(10, 1)), "routing_fault"),
        (without(GOOD, routing=RoutingFact(10, 0, share_plausible=False, share_text="9 of 10")), "routing_fault"),
        (without(GOOD, routing=RoutingFact(0)), "no_outcomes"),
        (without(GOOD, health=HealthFact((("edge-1", 0, 1),))), "candidate_unhealthy"),
        (without(GOOD, health=HealthFact(())), "candidate_health_unknown"),
        (right(step_index=0), "thin_evidence"),
        (right(step_index=None, verdict=Verdict.GOOD_ENOUGH), "evidence_pending"),
        (right(step_index=1, verdict=Verdict.GOOD_ENOUGH), "evidence_pending"),
    ],
)
def test_each_missing_thing_holds_with_its_reason(facts: Facts, code: str) -> None:
    state = rollout(Observing(0, NOW_MS))
    transition = advance(state, Observed(LATER_MS, facts))
    assert transition.state is state
    assert (transition.decision.action, transition.decision.code) == (Action.HOLD, code)


def test_time_alone_never_advances() -> None:
    state = rollout(Observing(0, NOW_MS))
    transition = advance(state, Observed(NOW_MS + 23 * 3_600_000, right(step_index=0)))
    assert transition.state is state


def test_evidence_alone_never_advances() -> None:
    state = rollout(Observing(0, NOW_MS))
    transition = advance(state, Observed(NOW_MS + 4_999, GOOD))
    assert (transition.state is state, transition.decision.code) == (True, "min_step")
    moved = advance(state, Observed(NOW_MS + 5_000, GOOD))
    assert moved.state.phase == Publishing(1, NOW_MS + 5_000)
    assert moved.effects == (PublishWeight(5000),)


def test_a_step_starts_when_the_fleet_has_it_and_the_split_was_seen() -> None:
    state = rollout(Publishing(1, NOW_MS))
    waiting = without(right(), fleet=FleetFact(2, waiting=("edge-1",)))
    assert advance(state, Observed(LATER_MS, waiting)).state is state
    assert advance(state, Observed(LATER_MS, without(right(), routing=RoutingFact(0)))).state is state
    transition = advance(state, Observed(LATER_MS, right()))
    assert transition.state.phase == Observing(1, LATER_MS)
    assert transition.effects == (BeginStep(1, LATER_MS // 1000, 5000, 10_000),)


def test_nothing_moves_before_everyone_has_a_healthy_candidate() -> None:
    state = rollout(Preparing(T0_MS))
    for facts in (
        without(right(), fleet=FleetFact(2, waiting=("edge-1",))),
        without(right(), sidecars=SidecarFact(2, waiting=("edge-1",))),
        without(right(), health=HealthFact((("edge-1", 1, 1), ("edge-2", 0, 1)))),
    ):
        assert advance(state, Observed(NOW_MS, facts)).state is state
    transition = advance(state, Observed(NOW_MS, right()))
    assert transition.state.phase == Publishing(0, NOW_MS)
    assert transition.effects == (PublishWeight(1000),)


def test_warm_up_is_waited_for() -> None:
    state = rollout(Preparing(T0_MS), text=ROLLOUT.replace("  harm_budget", "  warm_up: 30s\n  harm_budget"))
    assert advance(state, Observed(T0_MS + 29_999, right())).decision.code == "warm_up"
    assert advance(state, Observed(T0_MS + 30_000, right())).state.phase == Publishing(0, T0_MS + 30_000)


def test_the_last_step_promotes_and_the_candidate_becomes_the_baseline() -> None:
    state = rollout(Observing(2, NOW_MS))
    transition = advance(state, Observed(LATER_MS, right(step_index=2)))
    assert transition.state.phase == Promoted(LATER_MS)
    assert transition.effects == (SetBaseline("chat", "v2"), PublishWeight(10_000))


def test_a_rollback_ends_when_every_proxy_has_weight_zero() -> None:
    state = rollout(RollingBack("worse", aborted=False, since_ms=NOW_MS))
    for fleet in (FleetFact(0), FleetFact(2, waiting=("edge-1",))):
        assert advance(state, Observed(LATER_MS, without(right(), fleet=fleet))).state is state
    assert advance(state, Observed(LATER_MS, right())).state.phase == RolledBack("worse", LATER_MS)
    aborted = rollout(RollingBack("aborted by ada", aborted=True, since_ms=NOW_MS))
    assert advance(aborted, Observed(LATER_MS, right())).state.phase == Aborted("aborted by ada", LATER_MS)


def test_pause_keeps_the_weight_and_resume_gives_the_phase_back() -> None:
    state = rollout(Observing(1, NOW_MS))
    paused = advance(state, Pause(LATER_MS, "ada", "lunch")).state
    assert weight_bp_of(paused) == 5000
    held = advance(paused, Observed(LATER_MS, right(step_index=1, verdict=Verdict.GOOD_ENOUGH)))
    assert held.state is paused
    assert held.decision.text == "paused by ada: lunch"
    assert advance(paused, Resume(LATER_MS, "ada", "")).state.phase == state.phase


def test_promote_waives_the_dwell_but_not_the_evidence() -> None:
    state = advance(rollout(Observing(0, NOW_MS)), Promote(NOW_MS, "ada", "", skip_analysis=False)).state
    assert advance(state, Observed(NOW_MS + 1, right(step_index=0))).decision.code == "thin_evidence"
    assert advance(state, Observed(NOW_MS + 1, GOOD)).state.phase == Publishing(1, NOW_MS + 1)


@pytest.mark.parametrize(("policy", "code"), [("hold", "deadline"), ("rollback", "deadline")])
def test_the_deadline_does_what_the_plan_says(policy: str, code: str) -> None:
    text = ROLLOUT.replace("follow_up: 3s}", f"follow_up: 3s, deadline: 1h, on_deadline: {policy}}}")
    state = rollout(Observing(0, NOW_MS), text=text)
    transition = advance(state, Observed(T0_MS + 3_600_000, GOOD))
    assert transition.decision.code == code
    assert isinstance(transition.state.phase, RollingBack if policy == "rollback" else Observing)


def test_one_untagged_request_does_not_hold_a_rollout() -> None:
    facts = without(GOOD, data=DataFact(30, 10, 1, 10, 1))
    assert advance(rollout(Observing(0, NOW_MS)), Observed(LATER_MS, facts)).decision.code == "good_enough"


def test_the_weight_of_a_rolled_back_rollout_is_zero() -> None:
    for phase in PHASES.values():
        state = replace(rollout(), phase=phase)
        if isinstance(phase, RollingBack | RolledBack | Aborted | Preparing):
            assert weight_bp_of(state) == 0


def test_what_a_dry_run_would_have_done_is_written_once_and_moves_nothing() -> None:
    state = rollout(Observing(0, NOW_MS))
    worse = replace(GOOD.evidence, dry_run_worse=(("ttft", "ttft: worse"),))
    facts = without(GOOD, evidence=worse)
    told = advance(state, Observed(LATER_MS, facts))
    assert (told.decision.code, told.decision.action, told.effects) == ("dry_run_worse", Action.HOLD, ())
    assert told.decision.text == "dry run: it would have been rolled back now: ttft: worse"
    assert told.state == replace(state, revision=8, dry_run_told=("ttft",))
    assert decode("chat-v2", state.spec, encode(told.state)) == told.state
    assert advance(told.state, Observed(LATER_MS, facts)).decision.code == "good_enough"


def test_a_dry_run_never_speaks_before_evidence_that_counts() -> None:
    evidence = replace(right(step_index=0, verdict=Verdict.WORSE).evidence, dry_run_worse=(("ttft", "x"),))
    transition = advance(rollout(Observing(0, NOW_MS)), Observed(LATER_MS, without(GOOD, evidence=evidence)))
    assert isinstance(transition.state.phase, RollingBack)
