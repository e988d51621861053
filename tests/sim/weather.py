"""Which faults a run may meet, how often, and a count of those that really occurred.

A swarm: every kind is off in some of the runs, so that no kind always hides behind another.
"""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.sim.plans import FEATURES

# Counted where they happen, never where they are drawn. Once in a thousand runs is the least that a table may show.
FAULTS = (
    "crash before a write", "crash after a write", "torn write", "full disk",
    "message lost", "message late by > 1 s", "message twice", "message overtaken", "partition",
    "xds stream broken", "xds reconnect", "clusters warm slowly",
    "sidecar killed", "sidecar clock off by > 1 s", "sidecar clock 40 s ahead",
    "plane clock back", "plane clock ahead", "leader stalled", "twin leaders", "write of an old term refused",
    "hook said no", "hook's answer lost", "hook called again", "second approval refused", "candidate is broken",
)  # fmt: skip
# What the machine said of it: codes in the journal.
ANSWERS = (
    "step_started", "promoted", "rolled_back", "aborted", "worse", "paused", "resumed", "approval", "approved",
    "hook_started", "hook_running", "hook_passed", "hook_failed", "hook_retried", "bake_started", "bake", "frozen",
    "deadline", "clock_back", "waiting_for_proxies", "no_proxy", "thin_evidence",
)  # fmt: skip


@dataclass
class Weather:
    """One run's. `met` counts; `forced` are features of the plan that it has, and "twins" or "files"."""

    random: random.Random
    forced: frozenset[str] = frozenset()
    met: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        draw = self.random.random
        # Short plans come to their end within a short run more often.
        self.features = frozenset(name for name in FEATURES if draw() < (0.6 if name == "short" else 0.15))
        self.features |= self.forced & set(FEATURES)
        if "deadline_hold" in self.features:
            self.features -= {"deadline_rollback"}
        if "freeze_first" in self.features:
            self.features -= {"freeze_later"}
        self.has_twins = (draw() < 0.2 or "twins" in self.forced) and "files" not in self.forced
        self.has_files = not self.has_twins and (draw() < 0.15 or "files" in self.forced)
        self.crash_share = self.random.choice([0.0, 0.005, 0.01])
        self.full_share = self.random.choice([0.0, 0.0, 0.05])
        self.loss = self.random.choice([0.0, 0.05, 0.2])
        self.late_ms = self.random.choice([300, 2_500, 2_500, 6_000])
        self.double_share = self.random.choice([0.0, 0.1, 0.2])
        self.cut_share = self.random.choice([0.0, 0.06])
        self.kill_share = self.random.choice([0.0, 0.03])
        self.jump_share = self.random.choice([0.0, 0.0, 0.06])
        self.break_share = self.random.choice([0.0, 0.0, 0.05])
        self.cold_share = self.random.choice([0.0, 0.2])
        self.stall_share = 0.08 if self.has_twins else 0.0

    def comes(self, share: float, *names: str) -> bool:
        """Whether it happens now; then it is counted."""
        if share <= 0.0 or self.random.random() >= share:
            return False
        self.met.update(names)
        return True


def table(met: Counter[str]) -> str:
    width = max(map(len, (*FAULTS, *ANSWERS)))
    return "\n".join(f"  {name:<{width}} {met[name]:>9,}" for name in (*FAULTS, *ANSWERS))


def missing(met: Counter[str], names: Iterable[str] = (*FAULTS, *ANSWERS)) -> list[str]:
    """What a run of thousands must have met and has not."""
    return [name for name in names if not met[name]]
