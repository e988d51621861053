"""The control plane of a simulation: the real machine, journal codec, registry, merge and judge over a disk that may fail.

The order of a step is that of `engine/runner.py`: the record first, then its effects. Everything but the disk is lost
in a crash and comes back through `engine/recover.py`. What goes out to the proxies is made and sent by the real
publisher and xDS streams (`streams.py`).
"""

from dataclasses import dataclass, replace

from controlplane.engine.evidence import EvidenceTracker, tracker_of
from controlplane.engine.record import record_of
from controlplane.engine.recover import begins_of, replay
from controlplane.ingest import wire
from controlplane.ingest.registry import Registry
from controlplane.ingest.rows import Hello
from controlplane.manifest.hook import Hooks
from controlplane.manifest.schema import RolloutSpec
from controlplane.rollout.effects import BeginStep
from controlplane.rollout.events import Event, Facts, FleetFact, HealthFact, HooksEnded, Observed
from controlplane.rollout.machine import advance
from controlplane.rollout.model import Observing, Publishing, Rollout, weight_bp_of
from controlplane.rollout.transition import Action, Decision, Transition
from controlplane.store.journal import decode
from controlplane.store.port import Record, StoredBatch, StoreError
from serinus.v1 import outcomes_pb2
from tests.sim.disk import Disk
from tests.sim.plans import NAME, begun, service_spec
from tests.sim.rules import need
from tests.sim.streams import Streams

POLICY = "p1"


def begin(disk: Disk, spec: RolloutSpec) -> None:
    """The rollout as an apply leaves it."""
    rollout = begun(spec)
    disk.store.append(record_of(rollout, rollout.started_at_ms, Decision(Action.HOLD, "applied", "begun"), moved=True))
    disk.terms.append(0)


def blind(spec: RolloutSpec, decoy: str) -> RolloutSpec:
    """A plane that overlooks one of the plan's lines: what the oracle must notice."""
    changed: dict[str, dict[str, object]] = {
        "thaw": {"freeze": ()},
        "nod": {"approvals": None},
        "hookless": {"hooks": Hooks()},
        "unbaked": {"bake": spec.bake and spec.bake.model_copy(update={"for_ms": 0})},
        "overdue": {"pace": spec.pace.model_copy(update={"deadline_ms": 24 * 3_600_000})},
        "hasty": {"pace": spec.pace.model_copy(update={"min_step_ms": 0})},
    }
    return spec.model_copy(update=changed[decoy]) if decoy in changed else spec


def target_of(records: list[Record], spec: RolloutSpec) -> tuple[int, int]:
    """The weight in force and the revision that brought it."""
    target = (0, -1)
    for record in records:
        weight_bp = weight_bp_of(decode(NAME, spec, record.state)) if record.moved else target[1]
        if weight_bp != target[1]:
            target = (record.revision, weight_bp)
    return target


@dataclass(slots=True)
class Call:
    """Of hooks, under way."""

    due_ms: int
    passed: bool


class Plane:
    """One life of the process, or one term of it. `decoy` names a fault that is put in on purpose."""

    def __init__(self, disk: Disk, spec: RolloutSpec, *, term: int = 0, decoy: str = "") -> None:
        self.disk, self.decoy, self.term = disk, decoy, term
        spec = blind(spec, decoy)
        records = disk.store.records(NAME)
        need(bool(disk.store.latest()), "what was written stays")
        (latest,) = disk.store.latest()
        self.rollout = decode(NAME, spec, latest.state)
        self.target = target_of(records, spec)
        self.last_code = records[-1].code
        self.registry = Registry()
        self.tracker: EvidenceTracker = tracker_of(self.rollout, service_spec())
        for step in begins_of(self.rollout, records):
            self.tracker.begin(step)
        replay({NAME: self.tracker}, disk.store.batches(0))
        self.seen: Facts | None = None  # what the last tick was decided on
        self.calls: dict[str, Call] = {}
        self.streams = Streams(self.rollout, rash=decoy == "rash")

    def hello(self, hello: Hello, now_ms: int) -> None:
        self.registry.hello(hello, now_ms)
        self.registry.policy_ack(hello, POLICY, "")

    def report(self, hello: Hello, message: outcomes_pb2.Batch, now_ms: int) -> None:
        """Durable when it returns: only then is it acknowledged."""
        batch = wire.batch_of(message)
        stored = StoredBatch(hello.sidecar, hello.epoch, batch.seq, now_ms, message.SerializeToString())
        if not self.disk.save_batch(stored, self.term) and self.decoy != "twice":
            return
        self.hello(hello, now_ms)
        self.registry.batch(hello, batch, now_ms)
        self.tracker.add(batch.rows, now_slot=now_ms // 1000)

    def connected(self) -> list[str]:
        return [] if self.decoy == "sulks" and self.last_code == "no_proxy" else self.streams.nodes

    def facts(self, now_ms: int) -> Facts:
        nodes, fleet = self.connected(), self.streams.fact()
        if self.decoy == "deaf":
            fleet = replace(fleet, waiting=(), warming=())
        return Facts(
            fleet=fleet if nodes else FleetFact(0),
            sidecars=self.registry.sidecar_fact(nodes, POLICY, now_ms),
            health=HealthFact(tuple((node, 1, 1) for node in nodes)),
            data=self.registry.data_fact(nodes, now_ms),
            routing=self.tracker.routing_fact(self.streams.revision),
            evidence=self.tracker.evidence_fact(),
        )

    def tick(self, now_ms: int) -> Transition:
        self.streams.tick()
        closed = self.registry.closed_through(now_ms)
        if closed is not None:
            self.tracker.close(closed)
        self.seen = self.facts(now_ms)
        return self.step(Observed(now_ms, self.seen))

    def step(self, event: Event) -> Transition:
        if self.decoy == "trusting" and isinstance(event, HooksEnded):
            event = replace(event, passed=True)
        transition = advance(self._timeless() if self.decoy == "timeless" else self.rollout, event)
        moved = transition.state.revision != self.rollout.revision
        if not moved:
            transition = replace(transition, state=self.rollout)
        if moved and self.decoy == "early":
            self._run(transition)
        if moved or transition.decision.code != self.last_code:
            self._record(event, transition, moved=moved)
            self.last_code = transition.decision.code
        if moved and self.decoy != "early":
            self._run(transition)
        return transition

    def _timeless(self) -> Rollout:
        """As if each phase had begun long ago, whatever the clock says."""
        phase = self.rollout.phase
        if isinstance(phase, Observing):
            return replace(self.rollout, phase=replace(phase, entered_at_ms=0))
        return (
            replace(self.rollout, phase=replace(phase, since_ms=0)) if isinstance(phase, Publishing) else self.rollout
        )

    def _record(self, event: Event, transition: Transition, *, moved: bool) -> None:
        record = record_of(transition.state, event.now_ms, transition.decision, moved=moved)
        try:
            self.disk.append(record, self.term)
        except StoreError:
            if self.decoy != "forgetful":
                raise

    def _run(self, transition: Transition) -> None:
        before_bp, self.rollout = self.target[1], transition.state
        if weight_bp_of(self.rollout) != before_bp:
            self.target = (self.rollout.revision, weight_bp_of(self.rollout))
        if not (self.decoy == "mute" and self.target[1] == 0):
            self.streams.bring(self.rollout)
        for effect in transition.effects:
            if isinstance(effect, BeginStep):
                self.tracker.begin(effect)
