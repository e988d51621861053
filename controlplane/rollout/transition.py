"""What the machine answers: the state after an event, what the shell must do, and the sentence that says why.

Also the two moves that several rules make: back to 0 %, and on to a step. Pure; which of them happens is decided in
`machine.py` (the world) and `commands.py` (people).
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from controlplane.errors import SerinusError
from controlplane.rollout.effects import Effect, PublishWeight
from controlplane.rollout.events import Event
from controlplane.rollout.gates import Hold
from controlplane.rollout.model import (
    Aborted,
    HookKind,
    Phase,
    Publishing,
    RolledBack,
    RollingBack,
    Rollout,
    after_run,
    step_index_of,
    weight_bp_of,
)
from serinus.contract.weight import format_bp


class Action(StrEnum):
    ADVANCE = "advance"
    HOLD = "hold"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and why; the same sentence goes to the API, the log and the report."""

    action: Action
    code: str
    text: str
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """`state` is the state before, unchanged, when nothing moved."""

    state: Rollout
    effects: tuple[Effect, ...]
    decision: Decision

    @property
    def log_fields(self) -> dict[str, str | int]:
        """What the log line of the decision has beside its sentence."""
        state, decision = self.state, self.decision
        fields: dict[str, str | int] = {
            "rollout": state.name,
            "service": state.spec.service,
            "revision": state.revision,
        }
        fields |= {"phase": state.phase.kind, "action": decision.action.value, "code": decision.code}
        return fields | {"actor": decision.actor} if decision.actor else fields


class IllegalEventError(SerinusError):
    """The rollout's phase does not know this event."""

    code = "illegal_event"

    def __init__(self, rollout: Rollout, event: Event) -> None:
        verb = type(event).__name__.lower()
        super().__init__(
            f"rollout {rollout.name} is {rollout.phase.kind}: cannot {verb} it",
            next_step=f"serinus get rollout {rollout.name}",
        )
        self.phase = rollout.phase
        self.event = event


class ApprovalError(SerinusError):
    """A step that cannot be approved now: not the next one, not one that waits for it, or approved already."""

    code = "approval"


class FrozenError(SerinusError):
    """An increase that a freeze does not let through, whoever asks."""

    code = "frozen"


def roll_back(state: Rollout, now_ms: int, decision: Decision, *, aborted: bool = False) -> Transition:
    """Weight 0 first; the rollout has ended when every proxy has it."""
    step = f"step {step_index_of(state.phase) + 1} of {len(state.spec.steps_bp)}"
    at = f"at {step}, weight {format_bp(weight_bp_of(state))}"
    told = replace(decision, text=f"{decision.text} ({at})")
    if weight_bp_of(state) == 0:
        # Nobody was moved yet: there is nothing to take back and no proxy to wait for.
        end = rolled_back(state, told.text, now_ms, aborted=aborted)
        return Transition(moved(state, end), (PublishWeight(0),), told)
    to = RollingBack(reason=told.text, aborted=aborted, since_ms=now_ms)
    return Transition(moved(state, to), (PublishWeight(0),), told)


def rolled_back(state: Rollout, reason: str, now_ms: int, *, aborted: bool) -> RolledBack | Aborted:
    """The end at 0 %, with the hooks that come after it."""
    run = after_run(state, HookKind.AFTER_ROLLBACK, now_ms)
    return Aborted(reason, now_ms, run) if aborted else RolledBack(reason, now_ms, run)


def to_step(state: Rollout, step_index: int, now_ms: int, decision: Decision) -> Transition:
    """On to a step: its weight goes out now."""
    to = Publishing(step_index=step_index, since_ms=now_ms)
    return Transition(moved(state, to), (PublishWeight(state.spec.weights_bp[step_index]),), decision)


def moved(state: Rollout, phase: Phase) -> Rollout:
    """The next state, one revision on."""
    return replace(state, phase=phase, revision=state.revision + 1)


def holds(state: Rollout, hold: Hold) -> Transition:
    """Nothing moves, for that reason."""
    return Transition(state, (), Decision(Action.HOLD, hold.code, hold.text))


def said(what: str, actor: str, reason: str) -> str:
    """What a person did, with the reason that they gave."""
    return f"{what} by {actor}" + (f": {reason}" if reason else "")
