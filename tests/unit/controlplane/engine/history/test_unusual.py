"""Minutes that are unlike the others together; alike ones are left alone."""

import math

import numpy as np

from controlplane.engine.history.unusual import ALPHA, Unusual, annotation_of, minutes_of, unusual
from controlplane.evidence.diagnostics.annotation import Effect
from controlplane.ingest.history import MINUTE_MS, Counts, Point
from serinus.contract.edge import bin_of
from serinus.contract.metric import ERRORS, LATENCY, TTFT

DAY = 1_440


def minute(number: int, chance: np.random.Generator, *, busy: float | None = None, slow: float = 1.0) -> Point:
    """More requests, slower answers: together usual."""
    load = float(chance.uniform(0.5, 1.5)) if busy is None else busy
    requests = max(int(chance.poisson(600 * load)), 1)
    times = np.exp(chance.normal(math.log(0.1 * load**2 * slow), 0.3, requests)) * 1e6
    bins: dict[int, int] = {}
    for value in times:
        bins[bin_of(int(value))] = bins.get(bin_of(int(value)), 0) + 1
    bad = int(chance.binomial(requests, 0.01))
    counts = Counts(requests, {ERRORS: [requests, bad]}, {TTFT: bins, LATENCY: dict(bins)})
    return Point("chat", "v1", number * MINUTE_MS, MINUTE_MS, counts)


def usual(count: int, seed: int = 1) -> list[Point]:
    chance = np.random.default_rng(seed)
    return [minute(number, chance) for number in range(count)]


def asked(points: list[Point], since_ms: int) -> list[Unusual]:
    return unusual(minutes_of(points), since_ms)


def test_days_like_the_ones_before_have_next_to_no_unusual_minute() -> None:
    found = [len(asked(usual(400, seed), 300 * MINUTE_MS)) for seed in range(20)]
    # 2,000 minutes, of which each set of 100 is wrong with a chance of ALPHA.
    assert sum(found) <= 2, f"{ALPHA=} {found}"


def test_slow_in_a_quiet_minute_is_seen_though_each_number_is_usual() -> None:
    points, chance = usual(300), np.random.default_rng(9)
    # Load 0.6 alone is usual, and so is a median of 0.19 s, which belongs to load 1.4.
    points.append(minute(300, chance, busy=0.6, slow=5.4))
    (found,) = asked(points, 300 * MINUTE_MS)
    assert (found.version, found.at_ms, found.p_value < 1e-6) == ("v1", 300 * MINUTE_MS, True)
    assert found.most in {"requests", "ttft p50", "latency p50", "ttft p95", "latency p95"}
    assert asked([*points[:-1], minute(300, chance, busy=1.4)], 300 * MINUTE_MS) == []


def test_the_extra_says_so_too() -> None:
    points = [*usual(400), minute(400, np.random.default_rng(9), busy=0.6, slow=20.0)]
    (found,) = asked(points, 400 * MINUTE_MS)
    assert "lof" in found.by


def test_too_few_minutes_say_nothing_and_quiet_ones_teach_nothing() -> None:
    strange = minute(300, np.random.default_rng(9), busy=0.6, slow=20.0)
    assert asked([*usual(59), strange], 300 * MINUTE_MS) == []
    quiet = [Point("chat", "v1", p.at_ms, MINUTE_MS, Counts(3, {ERRORS: [3, 0]})) for p in usual(300)]
    assert asked([*quiet, strange], 300 * MINUTE_MS) == []
    assert asked(usual(300), 300 * MINUTE_MS) == []


def test_it_is_noted_and_never_holds() -> None:
    points = [*usual(300), minute(300, np.random.default_rng(9), busy=0.6, slow=20.0)]
    (found,) = asked(points, 300 * MINUTE_MS)
    note = annotation_of(found)
    assert note.effect is Effect.NOTE
    assert note.strength > 1
    assert note.sentence.startswith("v1: its last minutes are unlike its others, most in ")
