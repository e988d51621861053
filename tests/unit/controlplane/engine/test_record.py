"""What is written, and when it is written again."""

from controlplane.engine.record import HOLD_EVERY_MS, HOLDS_IN_FULL, LastDecision, apply_writes, internal_hold
from controlplane.engine.world import World, plan_apply
from controlplane.manifest.load import load
from controlplane.rollout.transition import Action, Decision
from tests.unit.controlplane.manifest.samples import BOTH

GROUP = "apiVersion: serinus/v1\nkind: ProxyGroup\nmetadata: {name: edge}\nspec: {listen: '0.0.0.0:8080'}\n"


def hold(code: str) -> Decision:
    return Decision(Action.HOLD, code, code)


def test_an_apply_writes_every_object_that_it_changes_and_the_begin_of_a_rollout() -> None:
    plan = plan_apply(World(), load([("a.yaml", BOTH + "---\n" + GROUP)]), 5)
    objects, records = apply_writes(plan, actor="ada", now_ms=5)
    assert sorted((stored.kind, stored.name, stored.baseline) for stored in objects) == [
        ("ProxyGroup", "edge", ""),
        ("Rollout", "chat-v2", ""),
        ("Service", "chat", "v1"),
    ]
    assert [(record.rollout, record.code, record.actor) for record in records] == [("chat-v2", "applied", "ada")]
    again = plan_apply(plan.world, load([("a.yaml", BOTH + "---\n" + GROUP)]), 6)
    assert apply_writes(again, actor="ada", now_ms=6) == ([], [])


def test_a_hold_is_written_when_its_reason_changes_and_seldom_once_it_flaps() -> None:
    last = LastDecision(hold("a"), written_at_ms=0)
    assert not last.must_write(hold("a"), 10)
    assert last.must_write(hold("b"), 10)
    flapping = LastDecision(hold("a"), written_at_ms=0, holds_written=HOLDS_IN_FULL)
    assert not flapping.must_write(hold("b"), HOLD_EVERY_MS - 1)
    assert flapping.must_write(hold("b"), HOLD_EVERY_MS)


def test_a_rollout_that_cannot_be_judged_holds_once_and_the_bound_counts_on() -> None:
    first = internal_hold(None, 7)
    assert first is not None
    assert (first.decision.code, first.written_at_ms) == ("internal", 7)
    assert internal_hold(first, 8) is None
    flapping = internal_hold(LastDecision(hold("a"), written_at_ms=3, holds_written=999), 8)
    assert flapping is not None
    assert (flapping.written_at_ms, flapping.holds_written) == (3, 999)
