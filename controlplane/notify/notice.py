"""What is told of a rollout, once it is in the journal: one value for every kind of receiver. Pure.

The id of a notice comes from the journal, so it is the same however often it is made and sent, also after a restart.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from controlplane.manifest.notify import Occasion
from controlplane.rollout.model import Rollout, weight_bp_of
from controlplane.rollout.transition import Action
from controlplane.store.journal import decode
from controlplane.store.port import Record
from serinus.contract.weight import format_bp

HOLD_ENDED = "hold_ended"
ALERT_RESOLVED = "alert_resolved"
# By the code of a record that moved the rollout. What rolls it back has many codes, and is told by its action.
_MOVES = {
    "applied": Occasion.STARTED,
    "edited": Occasion.STARTED,
    "retried": Occasion.STARTED,
    "prepared": Occasion.STEP,
    "good_enough": Occasion.STEP,
    "skip_analysis": Occasion.STEP,
    "bake_started": Occasion.STEP,
    "promoted": Occasion.PROMOTED,
    "paused": Occasion.PAUSED,
    "resumed": Occasion.RESUMED,
    "dry_run_worse": Occasion.DRY_RUN,
}
_TITLES = {
    "started": "started",
    "step": "goes on",
    "approval": "waits for an approval",
    "paused": "was paused",
    "resumed": "was resumed",
    "hold": "is held up",
    HOLD_ENDED: "is held up no more",
    "drift": "shows drift",
    "dry_run": "would have been rolled back (dry run)",
    "promoted": "was promoted",
    "rolled_back": "is rolled back",
    "aborted": "was aborted",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """`event` is the occasion, or `hold_ended`; `weight_bp` the candidate's then, None if it cannot be told. `serial`
    is that of the record behind it."""

    id: str
    occasion: Occasion
    event: str
    rollout: str
    service: str
    baseline: str
    candidate: str
    phase: str
    weight_bp: int | None
    reason: str
    text: str
    actor: str
    at_ms: int
    serial: int
    labels: tuple[tuple[str, str], ...] = ()  # of an alert rule, whose name is the reason

    @property
    def title(self) -> str:
        if self.occasion is Occasion.ALERT:
            return f"alert {self.reason} of {self.service} {'is resolved' if self.event == ALERT_RESOLVED else 'fires'}"
        return f"{self.rollout} {_TITLES[self.event]}"

    @property
    def next_step(self) -> str:
        return "serinus alerts" if self.occasion is Occasion.ALERT else f"serinus explain {self.rollout}"

    @property
    def weight(self) -> str:
        """For people."""
        return "unknown" if self.weight_bp is None else format_bp(self.weight_bp)

    @property
    def time(self) -> str:
        return rfc3339(self.at_ms)


def rfc3339(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def occasion_of(record: Record) -> Occasion | None:
    """What a record is the occasion to tell at once; None for holds, and for the ends of what was told."""
    if not record.moved:
        return None
    if record.action != Action.ROLLBACK:
        return _MOVES.get(record.code)
    if record.code == "aborted":
        # Without an actor: weight 0 has arrived everywhere, of what somebody aborted before.
        return Occasion.ABORTED if record.actor else None
    return None if record.code == "rolled_back" else Occasion.ROLLED_BACK


def of_record(rollout: Rollout, record: Record, occasion: Occasion) -> Notice:
    """Raises StoreError for a record that cannot be read."""
    then = decode(rollout.name, rollout.spec, record.state)
    return of_rollout(
        then,
        f"{rollout.name}/{record.serial}/{occasion}",
        occasion,
        reason=record.code,
        text=record.text,
        actor=record.actor,
        at_ms=record.at_ms,
        serial=record.serial,
    )


def of_rollout(
    rollout: Rollout,
    notice_id: str,
    occasion: Occasion,
    *,
    reason: str,
    text: str,
    at_ms: int,
    serial: int,
    actor: str = "",
    event: str = "",
) -> Notice:
    """As the rollout stands."""
    return Notice(
        id=notice_id,
        occasion=occasion,
        event=event or occasion,
        rollout=rollout.name,
        service=rollout.spec.service,
        baseline=rollout.baseline,
        candidate=rollout.spec.candidate,
        phase=rollout.phase.kind,
        weight_bp=_weight_bp(rollout),
        reason=reason,
        text=text,
        actor=actor,
        at_ms=at_ms,
        serial=serial,
    )


def _weight_bp(rollout: Rollout) -> int | None:
    """Of a record from before the plan was edited, the step may be none of this plan."""
    try:
        return weight_bp_of(rollout)
    except IndexError:
        return None
