"""The control plane of a simulation: the real machine, journal codec, registry, merge and judge; a disk that may crash.

The order of a step is that of `engine/runner.py`: the record first, then its effects. Everything but the disk is lost
in a crash and comes back through `engine/recover.py`. xDS is a model here: a weight with a number that grows.
"""

import random
from dataclasses import dataclass, field

from controlplane.engine.evidence import EvidenceTracker, tracker_of
from controlplane.engine.record import record_of
from controlplane.engine.recover import begins_of, replay
from controlplane.ingest import wire
from controlplane.ingest.registry import Registry
from controlplane.ingest.rows import Hello
from controlplane.manifest.load import load
from controlplane.manifest.schema import RolloutSpec, ServiceSpec
from controlplane.rollout.effects import BeginStep
from controlplane.rollout.events import Event, Facts, FleetFact, HealthFact, Observed
from controlplane.rollout.machine import advance
from controlplane.rollout.model import Preparing, Rollout, weight_bp_of
from controlplane.rollout.transition import Action, Decision, Transition
from controlplane.store.journal import decode
from controlplane.store.memory import MemoryStore
from controlplane.store.port import Record, StoredBatch
from serinus.v1 import outcomes_pb2
from tests.unit.controlplane.manifest.samples import ROLLOUT, SERVICE

NAME, POLICY, T0_MS = "chat-v2", "p1", 1_700_000_000_000
# A proxy that was not heard for this long is not connected.
AWAY_MS = 3_000
PLAN = ROLLOUT.replace("min_step: 5s, follow_up: 3s", "min_step: 2s, follow_up: 1s").replace(
    "    - {metric: finish_reason, of: length, margin: 20pp}\n", ""
)
PLAN = PLAN.replace("{metric: errors}", "{metric: errors, margin: 30pp}")


def specs() -> tuple[ServiceSpec, RolloutSpec]:
    service, rollout = (manifest.spec for manifest in load([("s.yaml", SERVICE + "---\n" + PLAN)]))
    assert isinstance(service, ServiceSpec)
    assert isinstance(rollout, RolloutSpec)
    return service, rollout


SERVICE_SPEC, ROLLOUT_SPEC = specs()


class CrashError(Exception):
    """The process is gone."""


@dataclass
class Disk:
    """A store whose writes are whole or not there, as its contract says; the process may die on either side of one."""

    random: random.Random
    crash_share: float = 0.0
    store: MemoryStore = field(default_factory=MemoryStore)

    def _maybe_crash(self) -> None:
        if self.random.random() < self.crash_share:
            raise CrashError

    def append(self, record: Record) -> None:
        self._maybe_crash()
        self.store.append(record)
        self._maybe_crash()

    def save_batch(self, batch: StoredBatch) -> bool:
        self._maybe_crash()
        is_new = self.store.save_batch(batch)
        self._maybe_crash()
        return is_new


def begin(disk: Disk) -> None:
    """The rollout as an apply leaves it."""
    rollout = Rollout(NAME, ROLLOUT_SPEC, "v1", T0_MS, 1, Preparing(T0_MS))
    disk.store.append(record_of(rollout, T0_MS, Decision(Action.HOLD, "applied", "begun"), moved=True))


def target_of(records: list[Record]) -> tuple[int, int]:
    """The weight in force and the revision that brought it."""
    target = (0, -1)
    for record in records:
        weight_bp = weight_bp_of(decode(NAME, ROLLOUT_SPEC, record.state)) if record.moved else target[1]
        if weight_bp != target[1]:
            target = (record.revision, weight_bp)
    return target


class Plane:
    """One life of the process. `decoy` names a fault that is put in on purpose."""

    def __init__(self, disk: Disk, decoy: str = "") -> None:
        self.disk, self.decoy = disk, decoy
        records = disk.store.records(NAME)
        (latest,) = disk.store.latest()
        self.rollout = decode(NAME, ROLLOUT_SPEC, latest.state)
        self.target = target_of(records)
        self.last_code = records[-1].code
        self.registry = Registry()
        self.tracker: EvidenceTracker = tracker_of(self.rollout, SERVICE_SPEC)
        for step in begins_of(self.rollout, records):
            self.tracker.begin(step)
        replay({NAME: self.tracker}, disk.store.batches(0))
        self.seen: Facts | None = None  # what the last tick was decided on
        self._proxies: dict[str, tuple[int, int]] = {}  # node -> revision in force there, heard at

    def proxy_says(self, node: str, revision: int, now_ms: int) -> None:
        self._proxies[node] = (revision, now_ms)

    def hello(self, hello: Hello, now_ms: int) -> None:
        self.registry.hello(hello, now_ms)
        self.registry.policy_ack(hello, POLICY, "")

    def report(self, hello: Hello, message: outcomes_pb2.Batch, now_ms: int) -> None:
        """Durable when it returns: only then is it acknowledged."""
        batch = wire.batch_of(message)
        stored = StoredBatch(hello.sidecar, hello.epoch, batch.seq, now_ms, message.SerializeToString())
        if not self.disk.save_batch(stored) and self.decoy != "twice":
            return
        self.hello(hello, now_ms)
        self.registry.batch(hello, batch, now_ms)
        self.tracker.add(batch.rows, now_slot=now_ms // 1000)

    def connected(self, now_ms: int) -> list[str]:
        return sorted(node for node, (_, heard_ms) in self._proxies.items() if now_ms - heard_ms <= AWAY_MS)

    def facts(self, now_ms: int) -> Facts:
        nodes = self.connected(now_ms)
        waiting = tuple(node for node in nodes if self._proxies[node][0] != self.target[0])
        if self.decoy == "deaf":
            waiting = ()
        return Facts(
            fleet=FleetFact(len(nodes), waiting),
            sidecars=self.registry.sidecar_fact(nodes, POLICY, now_ms),
            health=HealthFact(tuple((node, 1, 1) for node in nodes)),
            data=self.registry.data_fact(nodes, now_ms),
            routing=self.tracker.routing_fact(f"s{self.target[0]}"),
            evidence=self.tracker.evidence_fact(),
        )

    def tick(self, now_ms: int) -> Transition:
        closed = self.registry.closed_through(now_ms)
        if closed is not None:
            self.tracker.close(closed)
        self.seen = self.facts(now_ms)
        return self.step(Observed(now_ms, self.seen))

    def step(self, event: Event) -> Transition:
        transition = advance(self.rollout, event)
        moved = transition.state is not self.rollout
        if moved and self.decoy == "early":
            self._run(transition)
        if moved or transition.decision.code != self.last_code:
            self.disk.append(record_of(transition.state, event.now_ms, transition.decision, moved=moved))
            self.last_code = transition.decision.code
        if moved and self.decoy != "early":
            self._run(transition)
        return transition

    def _run(self, transition: Transition) -> None:
        before_bp, self.rollout = self.target[1], transition.state
        if weight_bp_of(self.rollout) != before_bp:
            self.target = (self.rollout.revision, weight_bp_of(self.rollout))
        for effect in transition.effects:
            if isinstance(effect, BeginStep):
                self.tracker.begin(effect)
