"""The product's own judge of errors, for many paths at once: the same kernel, starts and stakes as `evidence/judge.py`.

Weights follow the clock, or react: up after a last second without a candidate's failure, down after one with. A slot is
judged `follow_up_s` late, when its streams have ended. The tests hold this to the judge itself, path by path.
"""

import numpy as np

from controlplane.evidence import kernel
from controlplane.evidence.kernel import Bools, Floats, Ints
from controlplane.evidence.keys import NEVER
from controlplane.evidence.mixture import Starts
from controlplane.simulate.policies.policy import begins_step, everywhere, ramp_weight
from controlplane.simulate.traffic import Events, Second
from serinus.contract.weight import WEIGHT_TOTAL_BP


class SerinusPolicy:
    """Errors only, no tolerance."""

    def __init__(
        self, paths: int, *, alpha: float, users: int = 0, follow_up_s: int = 0, is_reactive: bool = False
    ) -> None:
        self.weight_bp = everywhere(paths, ramp_weight(0))
        self._needed = -np.log(alpha)
        self._starts = Starts()
        self._log_e: Floats = np.zeros((paths, 1, len(kernel.RATIOS)))
        self._latest: Ints = np.full((paths, users), NEVER, dtype=np.int64)  # a key's latest failure
        self._waiting: list[tuple[int, Second, Floats]] = []
        self._follow_up_s = follow_up_s
        self._is_reactive = is_reactive
        self._is_worse: Bools = np.zeros(paths, dtype=bool)

    def observe(self, second: int, seen: Second) -> Bools:
        self._waiting.append((second, seen, self.weight_bp / WEIGHT_TOTAL_BP))
        if second >= self._follow_up_s:
            self._judge(*self._waiting.pop(0))
        if begins_step(second + 1):
            self.weight_bp = self._next_weight(second + 1, seen)
        return self._is_worse

    def promoted(self) -> Bools:
        return np.ones(len(self.weight_bp), dtype=bool)  # the clock's weights wait for nobody

    def log_e(self) -> Floats:
        """ln of the mixture, per path."""
        mean = _log_sum(self._log_e + kernel.LOG_STAKES)
        parts = np.concatenate(
            [mean + self._starts.log_stakes, np.full((len(mean), 1), np.log(self._starts.cash))], axis=1
        )
        return _log_sum(parts)

    def _judge(self, slot: int, seen: Second, weight: Floats) -> None:
        if begins_step(slot):
            self._open(self._starts.begin_step(slot) is not None)
        if self._starts.is_due(slot):
            self._starts.restart(slot)
            self._open(True)
        if seen.events is None:
            baseline, candidate = seen.started
            keys, candidate_keys = (baseline.bad + candidate.bad)[:, None], candidate.bad[:, None]
        else:
            keys, candidate_keys = self._firsts(seen.events, slot)
        if keys.any():
            self._log_e += kernel.log_e(keys, candidate_keys, weight[:, None])
            self._is_worse = self._is_worse | (self.log_e() >= self._needed)

    def _open(self, is_new: bool) -> None:
        if is_new:
            paths, _, ratios = self._log_e.shape
            self._log_e = np.concatenate([self._log_e, np.zeros((paths, 1, ratios))], axis=1)

    def _firsts(self, events: Events, slot: int) -> tuple[Ints, Ints]:
        """Per path and component: keys whose first failure since its start this is, and the candidate's of them."""
        components = len(self._starts.slots)
        opened = np.searchsorted(self._starts.slots, self._latest[events.paths, events.users], side="right")
        self._latest[events.paths, events.users] = slot
        place = events.paths * (components + 1) + opened
        size = len(self._latest) * (components + 1)
        both = np.bincount(place, minlength=size), np.bincount(place, weights=events.arms, minlength=size)
        keys, candidate = (counts.reshape(-1, components + 1)[:, :components].cumsum(axis=1) for counts in both)
        return keys, candidate.astype(np.int64)

    def _next_weight(self, second: int, seen: Second) -> Ints:
        if not self._is_reactive:
            return everywhere(len(self.weight_bp), ramp_weight(second))
        step = np.where(seen.started[1].bad > 0, -1_000, 1_000)
        return np.clip(self.weight_bp + step, 1_000, 9_000)


def _log_sum(log_terms: Floats) -> Floats:
    """ln of the sum over the last axis."""
    highest = log_terms.max(axis=-1)
    value: Floats = highest + np.log(np.exp(log_terms - highest[..., None]).sum(axis=-1))
    return value
