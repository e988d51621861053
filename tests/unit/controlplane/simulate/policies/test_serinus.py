"""The simulated judge is the product's: the same evidence, second by second, on the same keys."""

import numpy as np
import pytest

from controlplane.evidence.judge import GuardrailPlan, Judge, JudgePlan
from controlplane.evidence.strata import MetricCounts, Stratum
from controlplane.simulate.policies.policy import begins_step
from controlplane.simulate.policies.serinus import SerinusPolicy
from controlplane.simulate.traffic import Second, Traffic
from controlplane.simulate.worlds import World, world_of

PATHS = 3
NONE = frozenset[int]()


def failing(seen: Second, path: int, fresh: int) -> tuple[list[int], list[int]]:
    """Keys of the failures of one path in one second, per arm."""
    if seen.events is None:
        bad_a, bad_b = (int(arm.bad[path]) for arm in seen.started)
        return list(range(fresh, fresh + bad_a)), list(range(fresh + 500, fresh + 500 + bad_b))
    mine = seen.events.paths == path
    users, arms = seen.events.users[mine], seen.events.arms[mine]
    return users[arms == 0].tolist(), users[arms == 1].tolist()


def counts(keys: list[int]) -> MetricCounts:
    return MetricCounts(len(keys), len(keys), NONE, frozenset(keys))


@pytest.mark.parametrize("name", ["steady", "sticky", "unlike"])
@pytest.mark.parametrize("is_reactive", [False, True])
def test_it_says_what_the_judge_says(name: str, is_reactive: bool) -> None:
    rng = np.random.default_rng(5)
    world: World = world_of(name, rps=40, baseline=0.03, candidate=0.06, seconds=200, rng=rng)
    users = 0 if world.users is None else len(world.users.shares)
    policy = SerinusPolicy(PATHS, alpha=1e-9, users=users, is_reactive=is_reactive)
    traffic = Traffic(world, PATHS, rng)
    judges = [Judge(JudgePlan((GuardrailPlan("errors", 1.0, None, 25),), 1e-9, 0.05, 0)) for _ in range(PATHS)]
    for second in range(200):
        weight = policy.weight_bp.copy()
        seen = traffic.draw(weight)
        for path, judge in enumerate(judges):
            weight_bp = int(weight[path])
            if begins_step(second):
                judge.begin_step(slot=1000 + second, weight_bp=weight_bp, next_weight_bp=None)
            a, b = failing(seen, path, 10_000 * (second + 1))
            stratum = Stratum(1000 + second, "s", "all", weight_bp, {"errors": counts(a)}, {"errors": counts(b)})
            judge.fold(1000 + second, [stratum])
        policy.observe(second, seen)
        if second % 40 == 39:
            expected = [judge.assess().overall_worse_log_e for judge in judges]
            np.testing.assert_allclose(policy.log_e(), expected, rtol=1e-9, atol=1e-9)


def test_a_slot_is_judged_when_its_follow_up_is_over() -> None:
    rng = np.random.default_rng(5)
    world = world_of("steady", rps=100, baseline=0.01, candidate=0.9, seconds=60, rng=rng)
    at_once, late = (SerinusPolicy(2, alpha=0.05, follow_up_s=wait) for wait in (0, 20))
    traffic = Traffic(world, 2, rng)
    found = [60, 60]
    for second in range(60):
        seen = traffic.draw(at_once.weight_bp)
        for index, policy in enumerate((at_once, late)):
            if policy.observe(second, seen).all():
                found[index] = min(found[index], second)
    assert found[1] == found[0] + 20
