"""What is written to the store for an apply, a transition or a hold. Pure."""

from dataclasses import dataclass

from controlplane.engine.deleting import DELETED, TOMBSTONE
from controlplane.engine.world import ApplyPlan, World
from controlplane.rollout.effects import SetBaseline
from controlplane.rollout.model import Rollout
from controlplane.rollout.transition import Action, Decision, Transition
from controlplane.store.journal import encode
from controlplane.store.port import Record, StoredObject, StoreError

# A rollout that flaps between two reasons to hold writes two records a second. After this many holds (a quarter of an
# hour of flapping) they are written once a minute: what happened can still be told, and the journal stays small.
HOLDS_IN_FULL = 1_000
HOLD_EVERY_MS = 60_000


@dataclass(slots=True)
class LastDecision:
    """The newest decision of a rollout, written or not."""

    decision: Decision
    written_at_ms: int
    holds_written: int = 0

    def must_write(self, decision: Decision, now_ms: int) -> bool:
        """A hold is written when its reason changes, within the journal's bound."""
        if decision.code == self.decision.code:
            return False
        return self.holds_written < HOLDS_IN_FULL or now_ms - self.written_at_ms >= HOLD_EVERY_MS


def internal_hold(last: LastDecision | None, now_ms: int, error: Exception | None = None) -> LastDecision | None:
    """A rollout that could not be judged, or recorded, holds and says so; None: it was said. The journal's bound counts
    on."""
    decision = Decision(Action.HOLD, "internal", "internal error while judging; next: see the control plane's log")
    if isinstance(error, StoreError):
        decision = Decision(Action.HOLD, "store", f"nothing can be recorded, so nothing moves: {error}")
    if last is None:
        return LastDecision(decision, now_ms)
    return LastDecision(decision, last.written_at_ms, last.holds_written) if last.decision != decision else None


def record_of(rollout: Rollout, at_ms: int, decision: Decision, *, moved: bool) -> Record:
    return Record(
        rollout=rollout.name,
        revision=rollout.revision,
        at_ms=at_ms,
        moved=moved,
        state=encode(rollout),
        action=decision.action,
        code=decision.code,
        text=decision.text,
        actor=decision.actor,
    )


def apply_writes(plan: ApplyPlan, *, actor: str, now_ms: int) -> tuple[list[StoredObject], list[Record]]:
    """Every object that an apply changes, and the first record of every rollout that it begins."""
    touched = {(change.kind, change.name): change for change in plan.changes if change.change != "unchanged"}
    objects = [
        StoredObject("Service", service.name, service.data, service.baseline, now_ms)
        for service in plan.world.services.values()
        if ("Service", service.name) in touched
    ]
    objects += [
        StoredObject("ProxyGroup", group.name, group.data, "", now_ms)
        for group in plan.world.groups.values()
        if ("ProxyGroup", group.name) in touched
    ]
    objects += [
        StoredObject("AlertRule", rule.name, rule.data, "", now_ms)
        for rule in plan.world.rules.values()
        if ("AlertRule", rule.name) in touched
    ]
    objects += [
        StoredObject(kind, name, TOMBSTONE, "", now_ms)
        for (kind, name), change in touched.items()
        if change.change == DELETED
    ]
    records = []
    for name, entry in plan.world.rollouts.items():
        if ("Rollout", name) in touched:
            objects.append(StoredObject("Rollout", name, entry.data, "", now_ms))
            change = touched["Rollout", name]
            begun = "begun" if entry.rollout.is_active else "asked for"
            text = f"rollout of {entry.rollout.spec.candidate} over {entry.rollout.baseline} {begun} by {actor}"
            decision = Decision(Action.HOLD, "applied", "; ".join([text, *change.note.splitlines()]), actor)
            if change.change == "configured" and change.note:
                decision = Decision(Action.HOLD, "edited", f"plan edited by {actor}: {change.note}", actor)
            records.append(record_of(entry.rollout, now_ms, decision, moved=True))
    return objects, records


def transition_objects(world: World, transition: Transition, now_ms: int) -> list[StoredObject]:
    """The objects that change together with a transition: a promotion moves the service's baseline."""
    changed = []
    for effect in transition.effects:
        if isinstance(effect, SetBaseline):
            service = world.services[effect.service]
            changed.append(StoredObject("Service", service.name, service.data, effect.version, now_ms))
    return changed
