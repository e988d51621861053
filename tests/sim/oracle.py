"""What must hold after every event, told from the disk and the proxies alone, not from what the control plane thinks."""

from controlplane.evidence.verdict import Verdict
from controlplane.ingest import wire
from controlplane.rollout.events import Facts
from controlplane.rollout.model import Paused, Preparing, RollingBack, Rollout, step_index_of, weight_bp_of
from controlplane.store.journal import decode
from tests.sim.plane import NAME, ROLLOUT_SPEC, Disk, Plane
from tests.sim.proxy import Proxy


class OracleError(AssertionError):
    """A rule was broken."""


def need(holds: bool, rule: str) -> None:
    if not holds:
        raise OracleError(rule)


class Oracle:
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._seen = 0
        self._state: Rollout | None = None
        self._weights = {0: 0}  # revision -> weight of every recorded move
        self._acked: dict[tuple[str, int, int], int] = {}

    def journal(self, facts: Facts | None, proxies: list[Proxy], heard: list[str]) -> None:
        """New records: each is one move on from the last, and an increase has its evidence."""
        records = self._disk.store.records(NAME)
        for record in records[self._seen :]:
            state = decode(NAME, ROLLOUT_SPEC, record.state)
            if record.moved:
                before, self._state = self._state, state
                self._weights[state.revision] = weight_bp_of(state)
                if before is not None:
                    self._move(before, state, record.code, facts)
                    if record.code == "step_started":
                        fleet = [proxy.weight_bp for proxy in proxies if proxy.node in heard]
                        need(
                            all(bp == weight_bp_of(state) for bp in fleet),
                            "a step starts when the fleet has its weight",
                        )
            need(state == self._state, "a hold changes nothing")
        self._seen = len(records)

    @staticmethod
    def _move(before: Rollout, state: Rollout, code: str, facts: Facts | None) -> None:
        need(state.revision == before.revision + 1, "no move is lost or repeated")
        need(not before.is_terminal, "what has ended does not move")
        if weight_bp_of(state) <= weight_bp_of(before):
            return
        need(not isinstance(before.phase, Paused | RollingBack), "no increase while held")
        need(facts is not None, "no increase without facts")
        assert facts is not None
        need(facts.evidence.verdict is not Verdict.WORSE, "no increase against evidence of worse")
        need(not facts.fleet.waiting and facts.fleet.connected > 0, "no increase while a proxy waits")
        if isinstance(before.phase, Preparing):
            need(weight_bp_of(state) == ROLLOUT_SPEC.weights_bp[0] and code == "prepared", "the first step comes first")
            return
        need(step_index_of(state.phase) == step_index_of(before.phase) + 1, "no step is left out")
        need(facts.evidence.verdict is Verdict.GOOD_ENOUGH, "an increase has its evidence")
        need(facts.evidence.step_index == step_index_of(before.phase), "evidence speaks of the step in force")

    def rollback(self, before: Rollout, facts: Facts, after: Rollout) -> None:
        if (
            facts.evidence.verdict is Verdict.WORSE
            and not before.is_terminal
            and not isinstance(before.phase, Preparing)
        ):
            need(weight_bp_of(after) == 0, "rollback is always possible and first")

    def plane(self, plane: Plane) -> None:
        need(plane.rollout == self._state, "the journal, replayed, is the state in force")
        need(self._weights.get(plane.target[0]) == plane.target[1], "nothing goes out that is not recorded")

    def proxy(self, proxy: Proxy) -> None:
        need(self._weights.get(proxy.revision) == proxy.weight_bp, "a proxy runs only what is recorded")

    def arms(self, proxy: Proxy, seen: list[tuple[int, str]]) -> None:
        for user, version in seen:
            need(not (proxy.arms.get(user) == "v2" and version == "v1"), "nobody goes back during an increase")
            proxy.arms[user] = version

    def acknowledged(self, node: str, epoch: int, seq: int, requests: int) -> None:
        self._acked[node, epoch, seq] = requests

    def slots(self, plane: Plane) -> None:
        """What is acknowledged is stored, and what is stored is counted once."""
        stored = {(each.sidecar, each.epoch, each.seq): each for each in self._disk.store.batches(0)}
        need(self._acked.keys() <= stored.keys(), "no acknowledged slot is lost")
        rows = [row for each in stored.values() for row in wire.batch_from_bytes(each.payload).rows]
        counted = sum(plane.tracker.merge.routing(snapshot).outcomes for snapshot in {row.snapshot for row in rows})
        randomised = sum(row.requests for row in rows if row.weight_class)
        need(counted == randomised, f"each stored slot counts once: {counted} of {randomised}")
