"""What people have put round a rollout, as the oracle knows it: from the plan's own figures, the journal and what hooks
and approvers really said."""

from dataclasses import dataclass, field

from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.model import (
    Baking,
    HookKind,
    Observing,
    Paused,
    Preparing,
    RollingBack,
    Rollout,
    step_index_of,
    weight_bp_of,
)
from controlplane.store.port import Record
from tests.sim.plans import APPROVED_BP, BAKE_MS, DEADLINE_MS, FREEZES, MIN_STEP_MS, SLOW_STEP_MS, T0_MS

# A clock may be set back by a second without anybody noticing (`gates.CLOCK_BACK_MS_MAX`).
CLOCK_SLACK_MS = 1_000


class OracleError(AssertionError):
    """A rule was broken."""


def need(holds: bool, rule: str) -> None:
    if not holds:
        raise OracleError(rule)


@dataclass
class People:
    """`said`: what each run of hooks was answered. `approved`: steps, in basis points."""

    features: frozenset[str]
    said: dict[str, bool] = field(default_factory=dict)
    approved: set[int] = field(default_factory=set)
    journaled: set[str] = field(default_factory=set)
    entered_ms: int = T0_MS  # of the phase in force, without pauses
    baked_from_ms: int | None = None

    def learn(self, state: Rollout, record: Record) -> None:
        phase = state.phase.inner if isinstance(state.phase, Paused) else state.phase
        if run := getattr(phase, "hooks", None):
            self.journaled.add(run.key)
        if record.code in ("prepared", "good_enough", "step_started"):
            self.entered_ms = record.at_ms
        if record.code == "bake_started":
            self.baked_from_ms = record.at_ms

    def called(self, key: str) -> None:
        need(key in self.journaled, "a hook is called when the journal has it, not before")


def rule_of_increase(spec: RolloutSpec, before: Rollout, at_ms: int, people: People) -> None:
    need(not isinstance(before.phase, Paused | RollingBack), "no increase while held")
    for name, (_, from_ms, until_ms) in FREEZES.items():
        need(name not in people.features or not from_ms <= at_ms < until_ms, "no increase in a freeze")
    if people.features & {"deadline_hold", "deadline_rollback"}:
        need(at_ms - T0_MS < DEADLINE_MS, "no increase after the deadline")
    if isinstance(before.phase, Baking):
        return
    need(at_ms >= people.entered_ms - CLOCK_SLACK_MS, "no increase by a clock that went back")
    if isinstance(before.phase, Observing):
        step_ms = SLOW_STEP_MS if "slow" in people.features else MIN_STEP_MS
        need(at_ms - people.entered_ms >= step_ms, "a step has its time")
    index = 0 if isinstance(before.phase, Preparing) else step_index_of(before.phase) + 1
    if "approvals" in people.features and index < len(spec.steps_bp) and spec.steps_bp[index] in APPROVED_BP:
        need(spec.steps_bp[index] in people.approved, "a step that needs a person has one")
    if "hooks" in people.features and index < len(spec.steps_bp):
        kinds = [HookKind.BEFORE_STEP] if index else [HookKind.BEFORE_START, HookKind.BEFORE_STEP]
        for kind in kinds:
            yes = [key for key, passed in people.said.items() if passed and f"/{kind}/{index}/" in key]
            need(bool(yes), "hooks have said yes before a step")


def rule_of_promotion(spec: RolloutSpec, before: Rollout, at_ms: int, people: People) -> None:
    need(weight_bp_of(before) == spec.weights_bp[-1], "only what has passed the last step is promoted")
    if "bake" not in people.features:
        return
    need(isinstance(before.phase, Baking) and people.baked_from_ms is not None, "a plan with a bake bakes")
    assert people.baked_from_ms is not None
    need(at_ms - people.baked_from_ms >= BAKE_MS, "a bake has its time")
