"""A second rollout of a service: refused, or queued where its plan asks for that."""

from dataclasses import replace

import pytest

from controlplane.engine.line import QUEUED_MAX
from controlplane.engine.queue import due, queued
from controlplane.engine.transitions import BusyError, after, with_world
from controlplane.engine.world import World, plan_apply
from controlplane.manifest.errors import ManifestError
from controlplane.manifest.load import load
from controlplane.rollout.commands import abort
from controlplane.rollout.effects import BeginAttempt
from controlplane.rollout.events import Abort, Retry
from controlplane.rollout.machine import advance
from controlplane.rollout.model import Aborted, Preparing, Promoted, Queued, RolledBack, weight_bp_of
from controlplane.store.journal import decode, encode
from tests.unit.controlplane.manifest.samples import ROLLOUT, SERVICE

NOW_MS = 1_000_000
V3 = '    - {name: v3, endpoints: ["127.0.0.1:8003"], health: {path: /health}}\n  baseline: v1\n'
THREE = SERVICE.replace("  baseline: v1\n", V3)


def plan(name: str, candidate: str, *, queues: bool = True) -> str:
    text = ROLLOUT.replace("{name: chat-v2}", f"{{name: {name}}}").replace("candidate: v2", f"candidate: {candidate}")
    return text + ("  when_busy: queue\n" if queues else "")


def applied(world: World, *texts: str, now_ms: int = NOW_MS) -> tuple[World, dict[str, str]]:
    done = plan_apply(world, load((f"{n}.yaml", text) for n, text in enumerate(texts)), now_ms)
    return done.world, {change.name: change.note for change in done.changes}


def busy_world() -> World:
    """chat-v2 has the service, chat-v3 waits."""
    world, _ = applied(World(), THREE, plan("chat-v2", "v2", queues=False))
    return applied(world, plan("chat-v3", "v3"), now_ms=NOW_MS + 1)[0]


def ended(world: World, name: str, phase: Promoted | RolledBack) -> World:
    return world.with_rollout(replace(world.rollout(name), phase=phase))


def test_a_plan_that_asks_for_it_waits_behind_the_rollout_that_has_the_service() -> None:
    world, _ = applied(World(), THREE, plan("chat-v2", "v2", queues=False))
    world, notes = applied(world, plan("chat-v3", "v3"), now_ms=NOW_MS + 1)
    waiting = world.rollout("chat-v3")
    assert waiting.phase == Queued(NOW_MS + 1, "chat-v2")
    assert notes["chat-v3"] == "queued behind chat-v2"
    assert weight_bp_of(waiting) == 0
    assert not waiting.is_terminal
    active = world.active("chat")
    assert active is not None
    assert active.name == "chat-v2"
    assert [rollout.name for rollout in world.active_rollouts] == ["chat-v2"]


def test_one_that_does_not_ask_is_refused_with_both_ways_on() -> None:
    with pytest.raises(ManifestError, match=r"busy with rollout chat-v2; next: wait for it, .* or `when_busy: queue`"):
        applied(busy_world(), plan("chat-v4", "v3", queues=False))


def test_of_one_apply_the_first_begins_and_the_second_waits() -> None:
    world, notes = applied(World(), THREE, plan("chat-v2", "v2"), plan("chat-v3", "v3"))
    assert isinstance(world.rollout("chat-v2").phase, Preparing)
    assert isinstance(world.rollout("chat-v3").phase, Queued)
    assert notes == {**notes, "chat-v2": "", "chat-v3": "queued behind chat-v2"}


def test_nothing_is_due_while_the_service_is_busy() -> None:
    assert list(due(busy_world(), NOW_MS + 2)) == []


def test_when_the_service_is_free_the_oldest_begins_over_the_version_in_force() -> None:
    world = applied(busy_world(), plan("chat-v4", "v3"), now_ms=NOW_MS + 2)[0]
    world = ended(world, "chat-v2", Promoted(NOW_MS + 3)).with_baseline("chat", "v2")
    ((rollout, event),) = due(world, NOW_MS + 4)
    assert rollout.name == "chat-v3"
    transition = advance(rollout, event)
    assert transition.state.phase == Preparing(NOW_MS + 4)
    assert (transition.state.baseline, transition.state.started_at_ms) == ("v2", NOW_MS + 4)
    assert BeginAttempt() in transition.effects
    assert transition.decision.text == "begun, v3 over v2, by serinus: service chat is free"
    world = after(world, transition)
    assert [rollout.name for rollout in queued(world)] == ["chat-v4"]
    assert list(due(world, NOW_MS + 5)) == [], "the next one waits on"


def test_one_whose_candidate_is_the_baseline_by_now_ends_and_says_so() -> None:
    world = ended(busy_world(), "chat-v2", Promoted(NOW_MS)).with_baseline("chat", "v3")
    ((rollout, event),) = due(world, NOW_MS + 4)
    transition = advance(rollout, event)
    assert isinstance(transition.state.phase, Aborted)
    assert "v3 is the baseline of service chat already" in transition.state.phase.reason


def test_one_that_waits_can_be_aborted_and_nothing_is_published_for_it() -> None:
    transition = abort(busy_world().rollout("chat-v3"), Abort(NOW_MS + 9, "ann", "not needed"))
    assert transition.effects == ()
    assert transition.state.phase == Aborted("aborted by ann: not needed (it was queued)", NOW_MS + 9)


def test_nobody_can_make_it_begin_before_its_turn() -> None:
    with pytest.raises(BusyError, match="busy with rollout chat-v2"):
        with_world(busy_world(), "chat-v3", Retry(NOW_MS + 2, "ann", "now"))


def test_its_plan_can_be_changed_while_it_waits_and_keeps_its_place() -> None:
    world, _ = applied(
        busy_world(), plan("chat-v3", "v3").replace("harm_budget: 5%", "harm_budget: 1%"), now_ms=NOW_MS + 9
    )
    changed = world.rollout("chat-v3")
    assert changed.phase == Queued(NOW_MS + 1, "chat-v2")
    assert changed.spec.harm_budget_bp == 100


def test_so_many_may_wait_and_no_more() -> None:
    world, _ = applied(World(), THREE, plan("chat-0", "v2"))
    for number in range(1, QUEUED_MAX + 1):
        world, _ = applied(world, plan(f"chat-{number}", "v3"), now_ms=NOW_MS + number)
    with pytest.raises(ManifestError, match=f"{QUEUED_MAX} rollouts wait for service chat already"):
        applied(world, plan("chat-x", "v3"))


def test_it_is_read_back_from_the_journal_as_it_was_written() -> None:
    waiting = busy_world().rollout("chat-v3")
    assert decode("chat-v3", waiting.spec, encode(waiting)) == waiting
