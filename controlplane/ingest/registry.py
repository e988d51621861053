"""Who reports, how far each has closed its slots, and what Envoy's counters said lately. Pure: times come in.

One sidecar (a node id) may have two epochs at once while a new process takes the socket over from the old one.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from controlplane.ingest.rows import Batch, ClusterHealth, Hello, ProxyCounters
from controlplane.rollout.events import DataFact, SidecarFact

# A sidecar reports each second: after five missed reports (a kill, a hang, a cut) it counts as silent.
SILENT_MS = 5_000
# The window over which untagged and lost requests are set against all: long enough to hold a hundred requests at demo
# rates, short enough that a moment's incident does not hold a rollout for long after it is over.
WINDOW_MS = 10_000
# One point a second over the window, with room for bursts after a reconnect.
POINTS_MAX = 120
# Ended epochs that are remembered until their slots are closed by others.
EPOCHS_MAX = 16

Epoch = tuple[str, int]


@dataclass(slots=True)
class _EpochState:
    connected: bool
    heard_ms: int
    closed_through: int | None = None


@dataclass(slots=True)
class _Sidecar:
    cluster: str
    epochs: dict[int, _EpochState] = field(default_factory=dict)
    policy: str = ""
    refusal: str = ""
    readable: bool = True
    points: deque[tuple[int, ProxyCounters]] = field(default_factory=lambda: deque(maxlen=POINTS_MAX))


class Registry:
    """All sidecars that ever spoke to this process, keyed by node id."""

    def __init__(self) -> None:
        self._sidecars: dict[str, _Sidecar] = {}

    def hello(self, hello: Hello, now_ms: int) -> None:
        """A stream opened."""
        sidecar = self._sidecars.setdefault(hello.sidecar, _Sidecar(hello.cluster))
        state = sidecar.epochs.setdefault(hello.epoch, _EpochState(connected=True, heard_ms=now_ms))
        state.connected, state.heard_ms = True, now_ms
        while len(sidecar.epochs) > EPOCHS_MAX:
            del sidecar.epochs[min(sidecar.epochs)]

    def goodbye(self, hello: Hello) -> None:
        """The stream ended."""
        state = self._sidecars[hello.sidecar].epochs.get(hello.epoch)
        if state is not None:
            state.connected = False

    def batch(self, hello: Hello, batch: Batch, now_ms: int) -> None:
        """A batch that is durable now."""
        sidecar = self._sidecars[hello.sidecar]
        state = sidecar.epochs.setdefault(hello.epoch, _EpochState(connected=True, heard_ms=now_ms))
        state.heard_ms = now_ms
        state.closed_through = max(batch.closed_through_slot, state.closed_through or 0)
        if hello.epoch == max(sidecar.epochs):
            sidecar.readable = batch.proxy is not None
            if batch.proxy is not None:
                sidecar.points.append((now_ms, batch.proxy))

    def policy_ack(self, hello: Hello, version: str, error: str) -> None:
        sidecar = self._sidecars[hello.sidecar]
        if hello.epoch != max(sidecar.epochs):
            return
        sidecar.refusal = error
        if not error:
            sidecar.policy = version

    def closed_through(self, now_ms: int) -> int | None:
        """The last slot that every live epoch has closed; None while nobody lives. A dead one waits 5 s at most."""
        live = [
            state.closed_through
            for sidecar in self._sidecars.values()
            for state in sidecar.epochs.values()
            if now_ms - state.heard_ms <= SILENT_MS
        ]
        if not live or any(closed is None for closed in live):
            return None
        return min(closed for closed in live if closed is not None)

    def _lives(self, name: str, now_ms: int) -> bool:
        sidecar = self._sidecars.get(name)
        return sidecar is not None and any(
            state.connected and now_ms - state.heard_ms <= SILENT_MS for state in sidecar.epochs.values()
        )

    def connected(self, name: str, now_ms: int) -> bool:
        """Whether a live sidecar speaks for this node."""
        return self._lives(name, now_ms)

    def sidecar_fact(self, nodes: Iterable[str], policy: str, now_ms: int) -> SidecarFact:
        """The sidecars beside the connected `nodes`: every one of these must have a live sidecar with this policy."""
        nodes = sorted(nodes)
        live = [node for node in nodes if self._lives(node, now_ms)]
        return SidecarFact(
            connected=len(live),
            waiting=tuple(node for node in live if self._sidecars[node].policy != policy),
            silent=tuple(node for node in nodes if node not in live),
            rejections=tuple(
                f"{node}: {self._sidecars[node].refusal}" for node in live if self._sidecars[node].refusal
            ),
        )

    def health(self, nodes: Iterable[str], cluster: str) -> tuple[tuple[str, int, int], ...]:
        """(node, healthy, endpoints) of a cluster as each connected node's newest report says."""
        return tuple(
            (node, entry.healthy, entry.endpoints)
            for node in sorted(nodes)
            for entry in self.clusters(node)
            if entry.cluster == cluster
        )

    def clusters(self, node: str) -> tuple[ClusterHealth, ...]:
        sidecar = self._sidecars.get(node)
        return sidecar.points[-1][1].clusters if sidecar and sidecar.points else ()

    def data_fact(self, nodes: Iterable[str], now_ms: int) -> DataFact:
        """Increments of Envoy's counters over the window, summed over the connected nodes."""
        answered = untagged = written = lost = 0
        unreadable = []
        for node in sorted(nodes):
            sidecar = self._sidecars.get(node)
            if sidecar is None:
                continue
            if not sidecar.readable:
                unreadable.append(node)
            points = [counters for at_ms, counters in sidecar.points if now_ms - at_ms <= WINDOW_MS]
            for before, after in pairwise(points):
                answered += _increment(before.answered, after.answered)
                untagged += _increment(before.untagged, after.untagged)
                written += _increment(before.logs_written, after.logs_written)
                lost += _increment(before.logs_lost, after.logs_lost)
        return DataFact(WINDOW_MS // 1000, answered, untagged, written, lost, tuple(unreadable))


def _increment(before: int, after: int) -> int:
    """A counter's growth; one that went back was restarted at 0."""
    return after - before if after >= before else after
