"""The world and the evidence back from the store, as they were when the process ended. Pure."""

from collections.abc import Iterable, Sequence

from controlplane.engine.alerting.rule import AlertRule
from controlplane.engine.deleting import TOMBSTONE
from controlplane.engine.evidence import EvidenceTracker
from controlplane.engine.feedback import OPERATORS, FeedbackDesk
from controlplane.engine.world import ProxyGroup, RolloutObject, Service, World
from controlplane.errors import SerinusError
from controlplane.ingest import wire
from controlplane.ingest.registry import Registry
from controlplane.ingest.rows import Batch, Hello
from controlplane.manifest.alert_rule import AlertRuleSpec
from controlplane.manifest.load import spec_of
from controlplane.manifest.proxy_group import ProxyGroupSpec
from controlplane.manifest.schema import RolloutSpec, ServiceSpec
from controlplane.rollout.effects import BeginStep
from controlplane.rollout.model import Observing, Rollout, next_weight_bp
from controlplane.store.journal import decode
from controlplane.store.port import Record, StoredBatch, StoredObject, StoreError


def world_of(objects: Sequence[StoredObject], latest: Sequence[Record]) -> World:
    """Raises StoreError where a stored object or state cannot be read."""
    records = {record.rollout: record for record in latest}
    services: dict[str, Service] = {}
    rollouts: dict[str, RolloutObject] = {}
    groups: dict[str, ProxyGroup] = {}
    rules: dict[str, AlertRule] = {}
    for stored in objects:
        if stored.data == TOMBSTONE:
            continue
        try:
            spec = spec_of(stored.kind, stored.data)
        except (ValueError, KeyError) as error:
            raise StoreError(f"stored {stored.kind} {stored.name} cannot be read: {error}") from error
        if isinstance(spec, ServiceSpec):
            services[stored.name] = Service(stored.name, spec, stored.data, stored.baseline or spec.baseline)
        elif isinstance(spec, RolloutSpec) and stored.name in records:
            rollouts[stored.name] = RolloutObject(decode(stored.name, spec, records[stored.name].state), stored.data)
        elif isinstance(spec, ProxyGroupSpec):
            groups[stored.name] = ProxyGroup(stored.name, spec, stored.data)
        elif isinstance(spec, AlertRuleSpec):
            rules[stored.name] = AlertRule(stored.name, spec, stored.data)
    return World(services, rollouts, groups, rules)


def begins_of(rollout: Rollout, records: Iterable[Record]) -> list[BeginStep]:
    """The steps of the rollout's present attempt that had started, from its journal. What belongs to the attempt its
    own state says, not its time: the clock may have been set back."""
    begins = []
    for record in records:
        if not record.moved or record.code != "step_started":
            continue
        state = decode(rollout.name, rollout.spec, record.state)
        if state.started_at_ms == rollout.started_at_ms and isinstance(state.phase, Observing):
            begins.append(begin_step(rollout.spec, state.phase))
    return begins


def begin_step(spec: RolloutSpec, phase: Observing) -> BeginStep:
    index = phase.step_index
    return BeginStep(index, phase.entered_at_ms // 1000, spec.weights_bp[index], next_weight_bp(spec, index))


def replay(
    trackers: dict[str, EvidenceTracker], batches: Iterable[StoredBatch], desk: FeedbackDesk | None = None
) -> int:
    """Feed stored batches to the trackers as they came; how many. Slots close as they did, by who had closed them.
    Feedback may have come before the rows that tell of its snapshot: all of these are learned first."""
    registry, stored_batches = Registry(), tuple(batches)
    if desk is not None and desk.is_asked:
        for stored in stored_batches:
            desk.learn(_batch(stored).rows)
    for stored in stored_batches:
        batch, hello, closed = _batch(stored), Hello(stored.sidecar, stored.epoch, ""), None
        if stored.sidecar != OPERATORS:
            registry.hello(hello, stored.at_ms)
            registry.batch(hello, batch, stored.at_ms)
            closed = registry.closed_through(stored.at_ms)
        for tracker in trackers.values():
            tracker.add(batch.rows, now_slot=stored.at_ms // 1000)
            if closed is not None:
                tracker.close(closed)
            tracker.labels.advance(stored.at_ms // 1000)
        if desk is not None:
            desk.take(trackers, batch.feedback, stored.at_ms // 1000)
    return len(stored_batches)


def _batch(stored: StoredBatch) -> Batch:
    """Raises StoreError."""
    try:
        return wire.batch_from_bytes(stored.payload)
    except SerinusError as error:
        name = f"{stored.sidecar}/{stored.epoch}/{stored.seq}"
        raise StoreError(f"stored batch {name} cannot be read: {error}") from error
