"""A mixture of components that start at different times: old evidence for old faults, fresh evidence for late ones.

A component counts a key's first event *since its start*, so a user who fails again counts again only where the past is
forgotten. Components start at time 0, at every weight change, and in between with gaps of 60 s growing to a quarter of
the time since the weight change: 5 in the first five minutes, 30 in the first day.

Stakes. Half lies on time 0. The i-th later start gets 1/2 * c/((i+c-1)(i+c)), c = 8: 1/18, 1/22, 1/27 ... which sums to
1/2 over all i. A stake depends on the running number of a start alone, never on a deadline, the number of steps or
anything that is still to come, and no component is ever given more after its outcome is seen; what has not started is
held as cash (e-value 1). A mixture of e-processes with stakes fixed beforehand is an e-process (Vovk & Wang 2021), so
E = stake_0*E_0 + sum stake_i*E_i + cash never needs to know how long a rollout lasts. The i-th start costs at most
ln(1/stake_i) against a component that knew when the fault would begin: 4 nats at i = 10, 6 at 40.

At most 64 components are live. Past that the oldest but time 0 stops betting: its wealth is kept as cash. Stopping is
allowed at any time by a rule that does not look ahead.

Proven for each component alone. In the joint filtration (a later component counts keys whose arm an earlier one has
seen) it is measured, not proven: the simulated worlds of the tests are the gate.
"""

import math
from dataclasses import dataclass

import numpy as np

from controlplane.evidence.kernel import Bools, Floats, Ints, log_sum

COMPONENTS_MAX = 64
GAP_S_MIN = 60
_GAP_DIVISOR = 4
_SPREAD = 8.0
_LOG_HALF = -math.log(2.0)
_NOT_YET = np.iinfo(np.int64).max


def stake(index: int) -> float:
    """The stake of start `index`: 1/2 for time 0, then as above."""
    return 0.5 if index == 0 else 0.5 * _SPREAD / ((index + _SPREAD - 1.0) * (index + _SPREAD))


def cash(started: int) -> float:
    """What `started` starts have left over: 1 less the sum of their stakes."""
    return 1.0 if started == 0 else 0.5 * _SPREAD / (started - 1 + _SPREAD)


@dataclass(frozen=True, slots=True)
class Opened:
    """A component has started, the last one now; the one at index `stopped`, which had `log_stake`, bets no more."""

    stopped: int | None
    log_stake: float


class Starts:
    """When components start, and their stakes; shared by all metrics."""

    def __init__(self) -> None:
        self.slots: Ints = np.array([_NOT_YET], dtype=np.int64)
        self.log_stakes: Floats = np.array([_LOG_HALF])
        self._started = 1
        self._step_slot = 0
        self._due_slot: int | None = None  # none before the first step

    @property
    def cash(self) -> float:
        """What no start has been given yet."""
        return cash(self._started)

    def begin_step(self, slot: int) -> Opened | None:
        """A weight is in force from `slot` on: start a component there, unless one does. Time 0 is the first step's."""
        is_first = self._due_slot is None
        self._step_slot, self._due_slot = slot, slot + GAP_S_MIN
        if is_first:
            self.slots[0] = slot
        return None if slot == self.slots[-1] else self._open(slot)

    def is_due(self, slot: int) -> bool:
        return self._due_slot is not None and slot >= self._due_slot

    def restart(self, slot: int) -> Opened:
        """Start a component because time has passed."""
        self._due_slot = slot + max(GAP_S_MIN, (slot - self._step_slot) // _GAP_DIVISOR)
        return self._open(slot)

    def firsts(self, previous: Ints, slot: int) -> Ints:
        """Per component: how many of these events of `slot` are first ones, given each key's previous event."""
        counts: Ints = self.firsts_of(previous, np.zeros(len(previous), dtype=np.int64), 1, slot)[0]
        return counts

    def firsts_of(self, previous: Ints, groups: Ints, group_count: int, slot: int) -> Ints:
        """The same for each of `group_count` groups of events. Shape (groups, components)."""
        wide = len(self.slots) + 1
        place = groups * wide + np.searchsorted(self.slots, previous, side="right")
        counts = np.bincount(place, minlength=group_count * wide).reshape(group_count, wide)[:, :-1].cumsum(axis=1)
        counts[:, self.slots > slot] = 0
        return counts

    def _open(self, slot: int) -> Opened:
        opened = Opened(None, 0.0)
        if len(self.slots) == COMPONENTS_MAX:
            opened = Opened(1, float(self.log_stakes[1]))
            self.slots = np.delete(self.slots, 1)
            self.log_stakes = np.delete(self.log_stakes, 1)
        self.slots = np.append(self.slots, slot)
        self.log_stakes = np.append(self.log_stakes, math.log(stake(self._started)))
        self._started += 1
        return opened


class Wealth:
    """Log e-values per metric, component and bet. What a component's bets are worth together is kept current, so that a
    slot costs as much as the metrics that it changed. `log_bets`: stakes per metric and bet; else they are equal."""

    def __init__(self, starts: Starts, *, bets: int, metrics: int = 1, log_bets: Floats | None = None) -> None:
        self._starts = starts
        self._log_bets: Floats = np.full((metrics, bets), -math.log(bets)) if log_bets is None else log_bets
        self._log_e: Floats = np.zeros((metrics, len(starts.slots), bets))
        self._log_means: Floats = np.zeros((metrics, len(starts.slots)))
        # ln of the wealth of stopped components, stakes included
        self._stopped_log_e: Floats = np.full(metrics, -math.inf)

    def opened(self, opened: Opened) -> None:
        """Follow what `Starts` did."""
        stopped = opened.stopped
        if stopped is not None:
            wealth = self._log_means[:, stopped] + opened.log_stake
            self._stopped_log_e = np.logaddexp(self._stopped_log_e, wealth)
            self._log_e = np.delete(self._log_e, stopped, axis=1)
            self._log_means = np.delete(self._log_means, stopped, axis=1)
        self._log_e = np.concatenate([self._log_e, np.zeros_like(self._log_e[:, :1])], axis=1)
        self._log_means = np.concatenate([self._log_means, np.zeros_like(self._log_means[:, :1])], axis=1)

    def add(self, increment: Floats, metrics: Ints | None = None) -> None:
        """Add one stratum's log e-values, shape (metrics, components, bets): of all metrics or of those given."""
        of = np.arange(len(self._log_e)) if metrics is None else metrics
        log_e = self._log_e[of] + increment
        self._log_e[of] = log_e
        self._log_means[of] = log_sum(log_e + self._log_bets[of][:, None])

    def total(self, capped: Bools | None = None) -> Floats:
        """ln of the mixture, per metric; `capped` (metrics, components) count at most 1: that only lowers it."""
        parts = self._log_means
        if capped is not None:
            parts = np.where(capped, np.minimum(parts, 0.0), parts)
        rest = np.full((len(parts), 1), math.log(self._starts.cash))
        return log_sum(np.concatenate([parts + self._starts.log_stakes, rest, self._stopped_log_e[:, None]], axis=1))
