"""Traffic: one second of all paths at once. Requests that start, failures among them, and which keys they were.

A path is one rollout: its users' buckets are drawn once. Failures are drawn by rate, users by their share of it: a
second costs as much as it has failures, not as it has requests. `started` counts by start, `ended` by end.
"""

from dataclasses import dataclass

import numpy as np

from controlplane.evidence.kernel import Floats, Ints
from controlplane.simulate.worlds import World
from serinus.contract.weight import WEIGHT_TOTAL_BP


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """Per path."""

    n: Ints
    bad: Ints


@dataclass(frozen=True, slots=True)
class Events:
    """Keys that failed in the second, each once a path: path, user, 1 if on the candidate."""

    paths: Ints
    users: Ints
    arms: Ints


@dataclass(frozen=True, slots=True)
class Second:
    started: tuple[ArmCounts, ArmCounts]  # baseline, candidate
    ended: tuple[ArmCounts, ArmCounts]
    events: Events | None  # None: every failure is a key of its own


class Traffic:
    """Mutable; seconds are drawn in order."""

    def __init__(self, world: World, paths: int, rng: np.random.Generator) -> None:
        self._world = world
        self._paths = paths
        self._rng = rng
        self._second = 0
        self._waiting: Ints = np.zeros((2, paths, 1 + (world.stream_s[1] if world.stream_s else 0)), dtype=np.int64)
        if world.users is not None:
            self._buckets = rng.integers(0, WEIGHT_TOTAL_BP, (paths, len(world.users.shares)))
            expected = world.users.shares * world.users.rates
            self._mean_bad = float(expected.sum())  # failures per request on the baseline
            self._cumulative: Floats = np.cumsum(expected) / max(self._mean_bad, 1e-300)
            self._share_cache: tuple[Ints, Floats] | None = None

    def draw(self, weight_bp: Ints) -> Second:
        """The next second, with the candidate's weight per path."""
        t = self._second
        self._second += 1
        rates = self._world.baseline[t], self._world.candidate[t]
        if self._world.users is None:
            started, events = self._anonymous(t, weight_bp, rates), None
        else:
            started, events = self._sticky(t, weight_bp, rates)
        return Second(started, self._ended(started), events)

    def _anonymous(self, second: int, weight_bp: Ints, rates: tuple[float, float]) -> tuple[ArmCounts, ArmCounts]:
        share = weight_bp / WEIGHT_TOTAL_BP
        n_a, n_b = (self._rng.poisson(self._world.requests(second) * part) for part in (1.0 - share, share))
        return ArmCounts(n_a, self._rng.binomial(n_a, rates[0])), ArmCounts(n_b, self._rng.binomial(n_b, rates[1]))

    def _sticky(
        self, second: int, weight_bp: Ints, rates: tuple[float, float]
    ) -> tuple[tuple[ArmCounts, ArmCounts], Events]:
        world, rng = self._world, self._rng
        moved = rates[0] / world.baseline[0]
        worse = rates[1] / rates[0]
        drawn = rng.poisson(world.requests(second) * self._mean_bad * moved * max(worse, 1.0), self._paths)
        paths = np.repeat(np.arange(self._paths), drawn)
        users = np.minimum(np.searchsorted(self._cumulative, rng.random(len(paths))), len(self._cumulative) - 1)
        arms = (self._buckets[paths, users] < weight_bp[paths]).astype(np.int64)
        kept = rng.random(len(paths)) < np.where(arms == 1, worse, 1.0) / max(worse, 1.0)
        paths, users, arms = paths[kept], users[kept], arms[kept]
        bad = [np.bincount(paths[arms == arm], minlength=self._paths) for arm in (0, 1)]
        share = self._candidate_share(weight_bp)
        n = [rng.poisson(world.requests(second) * part) for part in (1.0 - share, share)]
        # All but a failure's own request come on top of it: a count is never below its failures.
        counts = tuple(ArmCounts(np.maximum(of, k), k) for of, k in zip(n, bad, strict=True))
        places = np.unique(paths * len(self._cumulative) + users, return_index=True)[1]
        return (counts[0], counts[1]), Events(paths[places], users[places], arms[places])

    def _candidate_share(self, weight_bp: Ints) -> Floats:
        """Share of the requests of the users on the candidate, per path; drawn anew only when a weight has changed."""
        assert self._world.users is not None
        if self._share_cache is None or not np.array_equal(self._share_cache[0], weight_bp):
            share = (self._buckets < weight_bp[:, None]) @ self._world.users.shares
            self._share_cache = (weight_bp.copy(), np.clip(share, 0.0, 1.0))
        return self._share_cache[1]

    def _ended(self, started: tuple[ArmCounts, ArmCounts]) -> tuple[ArmCounts, ArmCounts]:
        """Failures end at once, good answers when their stream does."""
        if self._world.stream_s is None:
            return started
        shortest, longest = self._world.stream_s
        lengths = longest - shortest + 1
        ended = []
        for waiting, counts in zip(self._waiting, started, strict=True):
            good = self._rng.multinomial(counts.n - counts.bad, np.full(lengths, 1.0 / lengths))
            waiting[:, shortest : longest + 1] += good
            ended.append(ArmCounts(waiting[:, 0] + counts.bad, counts.bad))
            waiting[:, :-1] = waiting[:, 1:]
            waiting[:, -1] = 0
        return ended[0], ended[1]
