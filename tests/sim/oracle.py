"""What must hold after every event, told from the disk and the proxies alone, not from what the control plane thinks."""

from collections.abc import Sequence

from controlplane.evidence.verdict import Verdict
from controlplane.ingest import wire
from controlplane.ingest.merge import AHEAD_S_MAX
from controlplane.manifest.schema import OnDeadline, RolloutSpec
from controlplane.rollout.events import Facts
from controlplane.rollout.model import Preparing, Promoted, Rollout, step_index_of, weight_bp_of
from controlplane.store.journal import decode
from controlplane.store.port import Record
from tests.sim.disk import Disk
from tests.sim.plane import Plane
from tests.sim.plans import DEADLINE_MS, HOLDBACK_BP, NAME, T0_MS
from tests.sim.proxy import Proxy
from tests.sim.rules import People, need, rule_of_increase, rule_of_promotion


class Oracle:
    def __init__(self, disk: Disk, spec: RolloutSpec, features: frozenset[str]) -> None:
        self._disk, self._spec = disk, spec
        self.people = People(features)
        self._seen: list[Record] = []
        self._state: Rollout | None = None
        self._weights = {0: 0}  # revision -> weight of every recorded move
        self._term = 0
        self._acked: set[tuple[str, int, int]] = set()
        self._stored: dict[tuple[str, int, int], tuple[int, frozenset[str]]] = {}

    def journal(self, facts: Facts | None, proxies: Sequence[Proxy], heard: list[str]) -> list[str]:
        """New records: each is one move on from the last, and an increase has its evidence. Their codes."""
        records = self._disk.store.records(NAME)
        known = len(self._seen)
        need(len(records) >= known and (not known or records[known - 1] == self._seen[-1]), "what was written stays")
        for place, record in enumerate(records[known:], known):
            if self._disk.lease is not None:
                need(self._disk.terms[place] >= self._term, "who led before writes no more")
                self._term = self._disk.terms[place]
            state = decode(NAME, self._spec, record.state)
            if record.moved:
                before, self._state = self._state, state
                self._weights[state.revision] = weight_bp_of(state)
                if before is not None:
                    self._move(before, state, record, facts)
                    if record.code == "step_started":
                        fleet = [proxy.weight_bp for proxy in proxies if proxy.node in heard]
                        need(
                            all(bp == weight_bp_of(state) for bp in fleet),
                            "a step starts when the fleet has its weight",
                        )
                self.people.learn(state, record)
            need(state == self._state, "a hold changes nothing")
        self._seen = records
        return [record.code for record in records[known:]]

    def _move(self, before: Rollout, state: Rollout, record: Record, facts: Facts | None) -> None:
        need(state.revision == before.revision + 1, "no move is lost or repeated")
        need(not before.is_terminal or state.is_terminal, "what has ended does not move")
        need(not before.is_terminal or weight_bp_of(state) == weight_bp_of(before), "what has ended keeps its weight")
        if isinstance(state.phase, Promoted) and not isinstance(before.phase, Promoted):
            rule_of_promotion(self._spec, before, record.at_ms, self.people)
        if weight_bp_of(state) <= weight_bp_of(before):
            return
        rule_of_increase(self._spec, before, record.at_ms, self.people)
        need(facts is not None, "no increase without facts")
        assert facts is not None
        need(facts.evidence.verdict is not Verdict.WORSE, "no increase against evidence of worse")
        need(not facts.fleet.waiting and facts.fleet.connected > 0, "no increase while a proxy waits")
        if isinstance(state.phase, Promoted):
            return
        if isinstance(before.phase, Preparing):
            first = weight_bp_of(state) == self._spec.weights_bp[0]
            need(first and record.code == "prepared", "the first step comes first")
            return
        need(step_index_of(state.phase) == step_index_of(before.phase) + 1, "no step is left out")
        need(facts.evidence.verdict is Verdict.GOOD_ENOUGH, "an increase has its evidence")
        need(facts.evidence.step_index == step_index_of(before.phase), "evidence speaks of the step in force")

    def rollback(self, before: Rollout, facts: Facts, after: Rollout, now_ms: int) -> None:
        """After a tick that nothing stopped."""
        if before.is_terminal:
            return
        if facts.evidence.verdict is Verdict.WORSE and not isinstance(before.phase, Preparing):
            need(weight_bp_of(after) == 0, "rollback is always possible and first")
        is_due = "deadline_rollback" in self.people.features and now_ms - T0_MS >= DEADLINE_MS
        if is_due and self._spec.pace.on_deadline is OnDeadline.ROLLBACK:
            need(weight_bp_of(after) == 0, "a deadline that rolls back does")

    def plane(self, plane: Plane) -> None:
        if self._disk.lease is not None and plane.term != self._disk.lease.term:
            return  # another leads; this one has not heard of it yet
        need(plane.rollout.revision == (self._state.revision if self._state else 0), "nothing is done unrecorded")
        if not plane.decoy:
            need(plane.rollout == self._state, "the journal, replayed, is the state in force")
        need(self._weights.get(plane.target[0]) == plane.target[1], "nothing goes out that is not recorded")

    def proxy(self, proxy: Proxy) -> None:
        need(not proxy.envoy.missing, f"routes name only clusters that the proxy holds: {set(proxy.envoy.missing)}")
        need(proxy.weight_bp in self._weights.values(), "a proxy runs only what is recorded")
        kept = 10_000 - HOLDBACK_BP
        if "bake" in self.people.features and self._state is not None and not isinstance(self._state.phase, Promoted):
            need(proxy.weight_bp <= kept, "who is held back stays so until the end of the bake")

    def arms(self, proxy: Proxy, seen: list[tuple[int, str]]) -> None:
        for user, version in seen:
            need(not (proxy.arms.get(user) == "v2" and version == "v1"), "nobody goes back during an increase")
            proxy.arms[user] = version

    def acknowledged(self, node: str, epoch: int, seq: int) -> None:
        self._acked.add((node, epoch, seq))

    def slots(self, plane: Plane) -> None:
        """What is acknowledged is stored, and what is stored is counted once."""
        stored = {(each.sidecar, each.epoch, each.seq): each for each in self._disk.store.batches(0)}
        need(self._acked <= stored.keys(), "no acknowledged slot is lost")
        for name in stored.keys() - self._stored.keys():
            each = stored[name]
            rows = [row for row in wire.batch_from_bytes(each.payload).rows if row.weight_class]
            # A clock too far ahead is not believed.
            rows = [row for row in rows if row.slot <= each.at_ms // 1000 + AHEAD_S_MAX]
            self._stored[name] = (sum(row.requests for row in rows), frozenset(row.snapshot for row in rows))
        snapshots = frozenset[str]().union(*(self._stored[name][1] for name in stored))
        counted = sum(plane.tracker.merge.routing(snapshot).outcomes for snapshot in snapshots)
        randomised = sum(self._stored[name][0] for name in stored)
        need(counted == randomised, f"each stored slot counts once: {counted} of {randomised}")
