"""Which node of a group runs what: the answers of all its streams put together. Pure: times come in, no I/O.

A node has one stream. A newer one supersedes it: the proxy has reconnected, and a dead connection may look alive for
seconds. Two proxies under one id take turns in that, each dropping the other; after a few turns within a minute the
one that is connected stays, the other is refused, and the id stands in `duplicates`: a fleet that cannot be told
apart must not be moved. A node that has gone is remembered with what it last accepted, up to a bound.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.errors import DuplicateNodeError
from controlplane.xds.events import Accepted, Node, Rejected

# A proxy that reconnects over a bad network supersedes itself now and then; three times a minute is no accident.
TURNS_MAX = 3
TURNS_WINDOW_MS = 60_000
# The largest fleet thought of is 10,000 proxies.
NODES_GONE_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Nack:
    """A refusal that no later acceptance has settled, in the node's own words."""

    type_url: str
    version: str
    message: str


@dataclass(frozen=True, slots=True)
class NodeView:
    """`accepted`: the version of each type that the node runs. `nacks`: by type, what it last refused."""

    node: Node
    mode: Mode
    is_connected: bool
    accepted: Mapping[str, str]
    nacks: Mapping[str, Nack]

    def has_accepted(self, snapshot: Snapshot) -> bool:
        return self.accepted.items() >= self.wanted(snapshot).items()

    def has_accepted_type(self, type_url: str, snapshot: Snapshot) -> bool:
        """Whether it runs the snapshot's resources of one type; true where there are none."""
        version = self.wanted(snapshot).get(type_url)
        return version is None or self.accepted.get(type_url) == version

    def wanted(self, snapshot: Snapshot) -> Mapping[str, str]:
        """The versions that this node will have accepted when it runs all of the snapshot, by type."""
        return (snapshot.incremental if self.mode is Mode.DELTA else snapshot).versions


@dataclass(frozen=True)
class FleetView:
    """A group's nodes at one moment, by node id. `duplicates`: ids under which two proxies have come lately."""

    nodes: Mapping[str, NodeView] = field(default_factory=dict)
    duplicates: tuple[str, ...] = ()

    @cached_property
    def connected(self) -> tuple[NodeView, ...]:
        return tuple(view for view in self.nodes.values() if view.is_connected)

    def has_accepted(self, snapshot: Snapshot) -> bool:
        """Whether there is a connected node and each of them runs all of the snapshot. No node is no acceptance."""
        return bool(self.connected) and all(view.has_accepted(snapshot) for view in self.connected)

    def waiting_for(self, snapshot: Snapshot) -> tuple[str, ...]:
        """The ids of the connected nodes that do not run all of the snapshot yet."""
        return tuple(view.node.node_id for view in self.connected if not view.has_accepted(snapshot))

    def nacks(self) -> tuple[tuple[str, Nack], ...]:
        """Refusals of connected nodes that stand: (node id, refusal)."""
        return tuple((view.node.node_id, nack) for view in self.connected for nack in view.nacks.values())


@dataclass(slots=True)
class _Turns:
    """When a node's streams superseded each other, and when one was last refused for that."""

    superseded_ms: deque[int] = field(default_factory=lambda: deque(maxlen=TURNS_MAX))
    refused_ms: int | None = None


class Fleet:
    """The book of one group's nodes. Methods take O(1) of its size, but for `view`, which is kept until a change."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeView] = {}
        self._streams: dict[str, int] = {}
        self._gone: dict[str, None] = {}
        self._turns: dict[str, _Turns] = {}
        self._distrusted: set[str] = set()
        self._view: FleetView | None = None

    def opened(self, stream_id: int, node: Node, mode: Mode, now_ms: int) -> int | None:
        """A stream has named its node. Returns the stream that it supersedes, if there is one.

        Raises DuplicateNodeError; the book has only noted the refusal then.
        """
        superseded = self._streams.get(node.node_id)
        if superseded is not None:
            self._take_turn(node.node_id, now_ms)
        self._gone.pop(node.node_id, None)
        self._streams[node.node_id] = stream_id
        self._nodes[node.node_id] = NodeView(node, mode, True, {}, {})
        self._view = None
        return superseded

    def _take_turn(self, node_id: str, now_ms: int) -> None:
        turns = self._turns.setdefault(node_id, _Turns())
        times = turns.superseded_ms
        if len(times) == TURNS_MAX and now_ms - times[0] <= TURNS_WINDOW_MS:
            turns.refused_ms = now_ms
            self._view = None
            raise DuplicateNodeError(node_id)
        times.append(now_ms)

    def answered(self, stream_id: int, node_id: str, answer: Accepted | Rejected) -> None:
        """A node's stream has accepted or refused. One that is not known, or was superseded, is passed over."""
        if self._streams.get(node_id) != stream_id:
            return
        view = self._nodes[node_id]
        if answer.type_url == CLUSTER:
            (self._distrusted.discard if isinstance(answer, Accepted) else self._distrusted.add)(node_id)
        if isinstance(answer, Accepted):
            accepted = {**view.accepted, answer.type_url: answer.version}
            nacks = {key: nack for key, nack in view.nacks.items() if key != answer.type_url}
        else:
            # What it runs of this type is the last good version, and by which name nobody knows any more.
            accepted = {key: version for key, version in view.accepted.items() if key != answer.type_url}
            nacks = {**view.nacks, answer.type_url: Nack(answer.type_url, answer.version, answer.message)}
        self._nodes[node_id] = NodeView(view.node, view.mode, True, accepted, nacks)
        self._view = None

    def closed(self, stream_id: int, node_id: str) -> None:
        """A stream has ended. One that is not known, or was superseded, is passed over."""
        if self._streams.get(node_id) != stream_id:
            return
        del self._streams[node_id]
        view = self._nodes[node_id]
        self._nodes[node_id] = NodeView(view.node, view.mode, False, view.accepted, view.nacks)
        self._gone[node_id] = None
        while len(self._gone) > NODES_GONE_MAX:
            forgotten = next(iter(self._gone))
            del self._gone[forgotten], self._nodes[forgotten]
            self._turns.pop(forgotten, None)
            self._distrusted.discard(forgotten)
        self._view = None

    def distrusts(self, node: Node | None) -> bool:
        """Whether the node's last word on clusters was a refusal: what it says it holds of them may be wrong then."""
        return node is not None and node.node_id in self._distrusted

    def view(self, now_ms: int) -> FleetView:
        """The group now. Duplicates are shown for a minute after the last refusal."""
        duplicates = tuple(
            node_id
            for node_id, turns in self._turns.items()
            if turns.refused_ms is not None and now_ms - turns.refused_ms <= TURNS_WINDOW_MS
        )
        if self._view is None or self._view.duplicates != duplicates:
            self._view = FleetView(dict(self._nodes), duplicates)
        return self._view
