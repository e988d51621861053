"""A rollout as a value: one dataclass per phase, holding exactly its own data.

Times are milliseconds since 1970 by the control plane's clock. Weights are the candidate's, in basis points.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from controlplane.manifest.schema import RolloutSpec


class HookKind(StrEnum):
    """When hooks run; the manifest's names."""

    BEFORE_START = "before_start"
    BEFORE_STEP = "before_step"
    AFTER_PROMOTE = "after_promote"
    AFTER_ROLLBACK = "after_rollback"


@dataclass(frozen=True, slots=True)
class HookRun:
    """All hooks of one kind, called once. `key` names it to the servers, the same after a crash; its last part counts
    how often an operator had it run."""

    kind: HookKind
    key: str
    since_ms: int
    outcome: Literal["running", "passed", "failed"] = "running"
    text: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """Another rollout has the service; this one begins when it has ended, and those queued before. `behind` is the
    one before it when it came. Nothing of it is in force."""

    since_ms: int
    behind: str
    kind: Literal["queued"] = "queued"


@dataclass(frozen=True, slots=True)
class Preparing:
    """Weight 0. The candidate's cluster and the cohort policy go out; nothing moves before everyone has them."""

    since_ms: int
    approved_by: str = ""  # who approved the first step
    hooks: HookRun | None = None
    kind: Literal["preparing"] = "preparing"


@dataclass(frozen=True, slots=True)
class Publishing:
    """The step's weight is on its way: it starts when the fleet accepted it and the split was seen to be right."""

    step_index: int
    since_ms: int
    waived: bool = False  # an operator skipped the analysis
    kind: Literal["publishing"] = "publishing"


@dataclass(frozen=True, slots=True)
class Observing:
    """The step's weight is in force everywhere; evidence gathers."""

    step_index: int
    entered_at_ms: int
    dwell_waived: bool = False  # an operator asked not to wait for min_step
    waived: bool = False
    approved_by: str = ""  # who approved the step after this one
    hooks: HookRun | None = None
    kind: Literal["observing"] = "observing"


@dataclass(frozen=True, slots=True)
class Baking:
    """The last weight is in force and its step is over: watched on against the users held back, before it counts as
    promoted. Still judged; rollback as before."""

    step_index: int
    entered_at_ms: int
    dwell_waived: bool = False  # an operator asked not to wait for the end of the bake
    kind: Literal["baking"] = "baking"


@dataclass(frozen=True, slots=True)
class Paused:
    """An operator said so. The weight stays; nothing advances; a rollback on evidence still happens."""

    inner: Preparing | Publishing | Observing | Baking
    since_ms: int
    actor: str
    reason: str
    kind: Literal["paused"] = "paused"


@dataclass(frozen=True, slots=True)
class RollingBack:
    """Weight 0 is on its way to the fleet. `aborted` tells an operator's command from a verdict."""

    reason: str
    aborted: bool
    since_ms: int
    kind: Literal["rolling_back"] = "rolling_back"


@dataclass(frozen=True, slots=True)
class RolledBack:
    reason: str
    ended_at_ms: int
    hooks: HookRun | None = None
    kind: Literal["rolled_back"] = "rolled_back"


@dataclass(frozen=True, slots=True)
class Aborted:
    reason: str
    ended_at_ms: int
    hooks: HookRun | None = None
    kind: Literal["aborted"] = "aborted"


@dataclass(frozen=True, slots=True)
class Promoted:
    ended_at_ms: int
    hooks: HookRun | None = None
    kind: Literal["promoted"] = "promoted"


Running = Preparing | Publishing | Observing | Baking
Phase = Queued | Running | Paused | RollingBack | RolledBack | Aborted | Promoted
TERMINAL = (RolledBack, Aborted, Promoted)


@dataclass(frozen=True, slots=True)
class Rollout:
    """One release of a candidate over a baseline. `revision` counts its transitions."""

    name: str
    spec: RolloutSpec
    baseline: str
    started_at_ms: int
    revision: int
    phase: Phase
    # Metrics of guardrails in a dry run that were said to be worse: each is told once.
    dry_run_told: tuple[str, ...] = ()

    @property
    def is_terminal(self) -> bool:
        return isinstance(self.phase, TERMINAL)

    @property
    def is_active(self) -> bool:
        """It has the service: neither waiting for it nor ended."""
        return not isinstance(self.phase, (Queued, *TERMINAL))


def step_index_of(phase: Phase) -> int:
    """The step a phase stands in; 0 before the first."""
    match phase:
        case Publishing(step_index=index) | Observing(step_index=index) | Baking(step_index=index):
            return index
        case Paused(inner=inner):
            return step_index_of(inner)
    return 0


def since_ms_of(phase: Phase) -> int:
    """When a phase began; of a paused one, what it has paused."""
    match phase:
        case Paused(inner=inner):
            return since_ms_of(inner)
        case Observing(entered_at_ms=since_ms) | Baking(entered_at_ms=since_ms):
            return since_ms
        case Preparing(since_ms=since_ms) | Publishing(since_ms=since_ms) | RollingBack(since_ms=since_ms):
            return since_ms
        case Queued(since_ms=since_ms):
            return since_ms
        case RolledBack(ended_at_ms=since_ms) | Aborted(ended_at_ms=since_ms) | Promoted(ended_at_ms=since_ms):
            return since_ms


def unpaused(phase: Phase) -> Phase:
    """What a paused phase has paused; any other as it is."""
    return phase.inner if isinstance(phase, Paused) else phase


def in_place_of(phase: Phase, to: Phase) -> Phase:
    """A phase that follows another: who is paused stays paused."""
    if not isinstance(phase, Paused):
        return to
    assert isinstance(to, Running), "nothing else can be paused"
    return replace(phase, inner=to)


def weight_bp_of(rollout: Rollout) -> int:
    """The candidate's weight that must be in force, 0..10000."""
    phase = unpaused(rollout.phase)
    match phase:
        case Publishing(step_index=index) | Observing(step_index=index) | Baking(step_index=index):
            return rollout.spec.weights_bp[index]
        case Promoted():
            return 10_000
    return 0


def ended_at_ms_of(rollout: Rollout) -> int:
    """When it ended; 0 while it runs."""
    match rollout.phase:
        case RolledBack(ended_at_ms=at) | Aborted(ended_at_ms=at) | Promoted(ended_at_ms=at):
            return at
    return 0


def next_weight_bp(spec: RolloutSpec, step_index: int) -> int | None:
    """The weight after a step, or None after the last."""
    return spec.weights_bp[step_index + 1] if step_index + 1 < len(spec.steps_bp) else None


def next_step_index(spec: RolloutSpec, phase: Preparing | Observing) -> int | None:
    """The step that begins when this phase ends, or None after the last."""
    index = 0 if isinstance(phase, Preparing) else phase.step_index + 1
    return index if index < len(spec.steps_bp) else None


def unapproved_bp(rollout: Rollout) -> int:
    """The step that comes next if it still needs somebody's approval; 0: none does."""
    phase = unpaused(rollout.phase)
    if not isinstance(phase, Preparing | Observing) or phase.approved_by:
        return 0
    index = next_step_index(rollout.spec, phase)
    return rollout.spec.steps_bp[index] if index is not None and rollout.spec.needs_approval(index) else 0


def hook_run(rollout: Rollout, kind: HookKind, step_index: int, now_ms: int) -> HookRun:
    """The start of the rollout is in the key: the next attempt at the same plan calls anew."""
    return HookRun(kind, f"{rollout.name}/{rollout.started_at_ms}/{kind}/{step_index}/1", now_ms)


def after_run(rollout: Rollout, kind: HookKind, now_ms: int) -> HookRun | None:
    """What runs when the rollout ends this way, if anything."""
    if not rollout.spec.hooks_of(kind):
        return None
    return hook_run(rollout, kind, len(rollout.spec.steps_bp) - 1, now_ms)
