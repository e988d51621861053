import numpy as np
import pytest

from controlplane.simulate.traffic import Traffic
from controlplane.simulate.worlds import NAMES, World, world_of


def traffic(name: str, paths: int = 40, **options: float) -> tuple[World, Traffic]:
    rng = np.random.default_rng(3)
    values = {"rps": 60.0, "baseline": 0.05, "candidate": 0.05, "seconds": 120} | options
    world = world_of(name, rng=rng, **values)  # type: ignore[arg-type]
    return world, Traffic(world, paths, rng)


@pytest.mark.parametrize("name", NAMES)
def test_requests_follow_the_weight_and_failures_the_rate(name: str) -> None:
    _, drawn = traffic(name)
    weight = np.full(40, 3000)
    totals = np.zeros(4)
    for _ in range(100):
        seen = drawn.draw(weight)
        for arm in seen.started:
            assert (arm.bad <= arm.n).all()
            assert (arm.bad >= 0).all()
        totals += [counts.sum() for arm in seen.started for counts in (arm.n, arm.bad)]
    n_a, bad_a, n_b, bad_b = totals
    assert n_a + n_b == pytest.approx(60 * 100 * 40, rel=0.05)
    assert n_b / (n_a + n_b) == pytest.approx(0.3, abs=0.06)
    assert (bad_a + bad_b) / (n_a + n_b) == pytest.approx(0.05, rel=0.7)


def test_a_candidate_twice_as_bad_fails_twice_as_often_in_any_world() -> None:
    for name in ("steady", "unlike", "sticky"):
        _, drawn = traffic(name, candidate=0.1, baseline=0.05)
        bad = np.zeros(2)
        for _ in range(100):
            seen = drawn.draw(np.full(40, 5000))
            bad += [arm.bad.sum() for arm in seen.started]
        assert bad[1] / bad[0] == pytest.approx(2.0, rel=0.15), name


def test_a_key_that_fails_is_on_the_arm_of_its_bucket_and_comes_once_a_second() -> None:
    _, drawn = traffic("sticky")
    arms: dict[tuple[int, int], int] = {}
    for _ in range(50):
        events = drawn.draw(np.full(40, 5000)).events
        assert events is not None
        pairs = list(zip(events.paths.tolist(), events.users.tolist(), strict=True))
        assert len(pairs) == len(set(pairs))
        for pair, arm in zip(pairs, events.arms.tolist(), strict=True):
            assert arms.setdefault(pair, arm) == arm


def test_streams_end_later_and_none_is_lost() -> None:
    world, drawn = traffic("streams", seconds=120)
    started, ended = 0, 0
    for second in range(120):
        seen = drawn.draw(np.full(40, 2000))
        ended += sum(int(arm.n.sum()) for arm in seen.ended)
        started += sum(int(arm.n.sum()) for arm in seen.started)
        if second < 10:
            assert all((arm.n == arm.bad).all() for arm in seen.ended), "only failures end before ten seconds"
    assert world.stream_s is not None
    assert 0.7 * started < ended < started
