"""The judge of sizes against simulated latencies: short forms of docs/statistics.md."""

import math
import statistics

import pytest

from tests.unit.controlplane.evidence.latency import LATENCIES, latency_advance, latency_ramp, sticky_ramp


def ramp(name: str, paths: int, step_s: int) -> list[float]:
    slower, tail, drift_by = LATENCIES[name]
    return [
        latency_ramp(seed, alpha=0.05, slower=slower, tail=tail, drift_by=drift_by, step_s=step_s)
        for seed in range(paths)
    ]


@pytest.mark.parametrize("name", ["A/A steady", "A/A shared drift x1.5"])
def test_equal_versions_are_rolled_back_no_more_often_than_promised_though_both_become_slower(name: str) -> None:
    paths = 8
    found = sum(served < math.inf for served in ramp(name, paths, step_s=10))
    assert found / paths <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / paths)


@pytest.mark.parametrize(
    ("name", "requests_max"), [("all x1.25", 300), ("5% of requests at ~12 s", 350)], ids=["slower", "slow tail"]
)
def test_a_slower_version_is_found_early(name: str, requests_max: int) -> None:
    """The long form measures 127 and 146."""
    found = ramp(name, 8, step_s=60)
    assert max(found) < math.inf
    assert statistics.median(found) <= requests_max


@pytest.mark.parametrize("heavy", [False, True])
def test_users_with_levels_of_their_own_accuse_nobody(heavy: bool) -> None:
    paths = 6
    found = sum(sticky_ramp(seed, alpha=0.05, heavy=heavy, step_s=10) < math.inf for seed in range(paths))
    assert found / paths <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / paths)


def test_an_equal_version_advances_and_one_at_the_margin_does_not() -> None:
    equal = [latency_advance(seed, margin=4, slower=1.0, through=0.95, horizon_s=120) for seed in range(3)]
    assert max(equal) < math.inf
    at_margin = [latency_advance(seed, margin=4, slower=2 ** (4 / 8), through=0.95, horizon_s=40) for seed in range(5)]
    assert sum(found < math.inf for found in at_margin) <= 1
