"""Who reports, how far each has closed its slots, and what Envoy's counters said lately. Pure: times come in.

One sidecar (a node id) has an epoch for each of its processes: its workers, and for a moment twice as many while new
ones take the sockets over from the old. One of them at a time reads Envoy's counters.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from controlplane.ingest.history import HistoryBook
from controlplane.ingest.merge import AHEAD_S_MAX
from controlplane.ingest.rows import Batch, ClusterHealth, Hello, ProxyCounters
from controlplane.ingest.traffic import TrafficBook
from controlplane.rollout.events import DataFact, SidecarFact

# A sidecar reports each second: after five missed reports (a kill, a hang, a cut) it counts as silent.
SILENT_MS = 5_000
# The window over which untagged and lost requests are set against all: long enough to hold a hundred requests at demo
# rates, short enough that a moment's incident does not hold a rollout for long after it is over.
WINDOW_MS = 10_000
# One point a second over the window, with room for bursts after a reconnect.
POINTS_MAX = 120
# Epochs that are remembered: twice the workers that a sidecar may have, and ended ones until others close their slots.
EPOCHS_MAX = 128
# Sheds of one second are one entry a worker.
SHEDS_MAX = 1_024
# Readings of one Envoy's counters may overtake each other by a queue's length (ten minutes); a clock may be set back.
OVERTAKEN_MS_MAX = 3_600_000

Epoch = tuple[str, int]


@dataclass(slots=True)
class _EpochState:
    connected: bool
    heard_ms: int
    closed_through: int | None = None
    policy: str = ""
    refusal: str = ""
    shed: int = 0
    ahead_s: int = 0

    def lives(self, now_ms: int) -> bool:
        return self.connected and now_ms - self.heard_ms <= SILENT_MS


@dataclass(slots=True)
class _Sidecar:
    cluster: str
    known_ms: int
    epochs: dict[int, _EpochState] = field(default_factory=dict)
    readable: bool = True
    points: deque[tuple[int, ProxyCounters]] = field(default_factory=lambda: deque(maxlen=POINTS_MAX))
    sheds: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=SHEDS_MAX))

    def alive(self, now_ms: int) -> list[_EpochState]:
        return [state for state in self.epochs.values() if state.lives(now_ms)]

    def is_readable(self, now_ms: int) -> bool:
        """A process that hangs while it is the one that reads is noticed by the age of what it read."""
        last_ms = self.points[-1][0] if self.points else self.known_ms
        return self.readable and (now_ms - last_ms <= SILENT_MS or not self.alive(now_ms))


class Registry:
    """All sidecars that ever spoke to this process, keyed by node id."""

    def __init__(self) -> None:
        self._sidecars: dict[str, _Sidecar] = {}
        self.traffic, self.history = TrafficBook(), HistoryBook()

    def hello(self, hello: Hello, now_ms: int) -> None:
        """A stream opened."""
        sidecar = self._sidecars.setdefault(hello.sidecar, _Sidecar(hello.cluster, now_ms))
        state = sidecar.epochs.setdefault(hello.epoch, _EpochState(connected=True, heard_ms=now_ms))
        state.connected, state.heard_ms = True, now_ms
        while len(sidecar.epochs) > EPOCHS_MAX:
            del sidecar.epochs[min(sidecar.epochs, key=lambda epoch: sidecar.epochs[epoch].heard_ms)]

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
        self.traffic.add(batch.rows)
        now_slot = now_ms // 1_000
        self.history.add(row for row in batch.rows if row.slot <= now_slot + AHEAD_S_MAX)
        state.ahead_s = _ahead_s(batch, now_slot)
        # Nobody closes a second that has not come; rows of such are no evidence (`merge.AHEAD_S_MAX`).
        state.closed_through = max(min(batch.closed_through_slot, now_slot), state.closed_through or 0)
        if batch.shed > state.shed:
            sidecar.sheds.append((now_ms, batch.shed - state.shed))
            state.shed = batch.shed
        if batch.proxy is not None:
            sidecar.readable = True
            if _is_newer(batch.proxy, sidecar.points, is_newest=hello.epoch == max(sidecar.epochs)):
                sidecar.points.append((now_ms, batch.proxy))
        elif not batch.proxy_read_elsewhere and hello.epoch == max(sidecar.epochs):
            sidecar.readable = False

    def policy_ack(self, hello: Hello, version: str, error: str) -> None:
        state = self._sidecars[hello.sidecar].epochs.get(hello.epoch)
        if state is not None:
            state.refusal = error
            if not error:
                state.policy = version

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
        return sidecar is not None and bool(sidecar.alive(now_ms))

    def connected(self, name: str, now_ms: int) -> bool:
        """Whether a live sidecar speaks for this node."""
        return self._lives(name, now_ms)

    def sidecar_fact(self, nodes: Iterable[str], policy: str, now_ms: int) -> SidecarFact:
        """The sidecars beside the connected `nodes`: every one of these must have a live sidecar, with this policy in
        all of its processes."""
        nodes = sorted(nodes)
        live = {node: self._sidecars[node].alive(now_ms) for node in nodes if self._lives(node, now_ms)}
        refusals = {node: next((each.refusal for each in states if each.refusal), "") for node, states in live.items()}
        return SidecarFact(
            connected=len(live),
            waiting=tuple(node for node, states in live.items() if any(each.policy != policy for each in states)),
            silent=tuple(node for node in nodes if node not in live),
            rejections=tuple(f"{node}: {refusal}" for node, refusal in refusals.items() if refusal),
            ahead=tuple(
                (node, ahead_s)
                for node, states in live.items()
                if (ahead_s := max(each.ahead_s for each in states)) > AHEAD_S_MAX
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
        """Increments of Envoy's counters over the window, summed over the connected nodes. What a sidecar shed was
        answered to Envoy, and went untagged."""
        answered = untagged = written = lost = 0
        unreadable = []
        for node in sorted(nodes):
            sidecar = self._sidecars.get(node)
            if sidecar is None:
                continue
            if not sidecar.is_readable(now_ms):
                unreadable.append(node)
            shed = sum(count for at_ms, count in sidecar.sheds if now_ms - at_ms <= WINDOW_MS)
            answered -= shed
            untagged += shed
            points = [counters for at_ms, counters in sidecar.points if now_ms - at_ms <= WINDOW_MS]
            for before, after in pairwise(points):
                answered += _increment(before.answered, after.answered)
                untagged += _increment(before.untagged, after.untagged)
                written += _increment(before.logs_written, after.logs_written)
                lost += _increment(before.logs_lost, after.logs_lost)
        return DataFact(WINDOW_MS // 1000, max(0, answered), untagged, written, lost, tuple(unreadable))


def _is_newer(read: ProxyCounters, points: deque[tuple[int, ProxyCounters]], *, is_newest: bool) -> bool:
    """A reading that a later one has overtaken, from another process's queue, would look like a restart of Envoy. One
    that does not say when it was taken counts if it is of the newest process."""
    if not read.read_ms:
        return is_newest
    last_ms = points[-1][1].read_ms if points else 0
    return read.read_ms > last_ms or read.read_ms < last_ms - OVERTAKEN_MS_MAX


def _ahead_s(batch: Batch, now_slot: int) -> int:
    """By how much the reporter's clock is ahead at least: by the newest second that it speaks of. Reports may come
    late, so nothing tells a clock that is behind; it only delays what it says."""
    read_slot = batch.proxy.read_ms // 1_000 if batch.proxy is not None else 0
    return max(batch.closed_through_slot, read_slot, *(row.slot for row in batch.rows), now_slot) - now_slot


def _increment(before: int, after: int) -> int:
    """A counter's growth; one that went back was restarted at 0."""
    return after - before if after >= before else after
