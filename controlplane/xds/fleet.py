"""Which node runs what: the answers of all streams put together. Pure: no clock, no I/O.

A node may hold two streams while it reconnects; the newest one tells. A node that has gone is remembered with what it
last accepted, up to a bound, the longest gone forgotten first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.errors import TooManyStreamsError
from controlplane.xds.stream import Accepted, Node, Rejected

# Two while a connection is replaced, and as many again for a network that is slow to say that one has died.
STREAMS_PER_NODE_MAX = 4
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
    is_connected: bool
    accepted: Mapping[str, str]
    nacks: Mapping[str, Nack]

    def has_accepted(self, snapshot: Snapshot) -> bool:
        return all(self.accepted.get(type_url) == version for type_url, version in snapshot.versions.items())


@dataclass(frozen=True, slots=True)
class FleetView:
    """The fleet at one moment, by node id."""

    nodes: Mapping[str, NodeView] = field(default_factory=dict)

    @property
    def connected(self) -> tuple[NodeView, ...]:
        return tuple(view for view in self.nodes.values() if view.is_connected)

    def has_accepted(self, snapshot: Snapshot) -> bool:
        """Whether there is a connected node and each of them runs all of the snapshot. No node is no acceptance."""
        connected = self.connected
        return bool(connected) and all(view.has_accepted(snapshot) for view in connected)

    def waiting_for(self, snapshot: Snapshot) -> tuple[str, ...]:
        """The ids of the connected nodes that do not run all of the snapshot yet."""
        return tuple(view.node.node_id for view in self.connected if not view.has_accepted(snapshot))

    def nacks(self) -> tuple[tuple[str, Nack], ...]:
        """Refusals of connected nodes that stand: (node id, refusal)."""
        return tuple((view.node.node_id, nack) for view in self.connected for nack in view.nacks.values())


@dataclass(slots=True)
class _Stream:
    """Treated as a value: its maps are replaced, never changed, so a view may share them."""

    accepted: Mapping[str, str] = field(default_factory=dict)
    nacks: Mapping[str, Nack] = field(default_factory=dict)


class Fleet:
    """The book of nodes. Every method takes O(1) of the fleet's size, but for `view`, which is kept until a change."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._streams: dict[str, dict[int, _Stream]] = {}
        self._gone: dict[str, NodeView] = {}
        self._view: FleetView | None = None

    def opened(self, stream_id: int, node: Node) -> None:
        """A stream has named its node. Raises TooManyStreamsError; nothing has changed then."""
        streams = self._streams.get(node.node_id, {})
        if len(streams) >= STREAMS_PER_NODE_MAX:
            raise TooManyStreamsError(f"node {node.node_id}", STREAMS_PER_NODE_MAX)
        self._gone.pop(node.node_id, None)
        self._nodes[node.node_id] = node
        self._streams[node.node_id] = {**streams, stream_id: _Stream()}
        self._view = None

    def answered(self, stream_id: int, node: Node, answer: Accepted | Rejected) -> None:
        """A stream that is open has accepted or refused. One that is not known is passed over."""
        stream = self._streams.get(node.node_id, {}).get(stream_id)
        if stream is None:
            return
        if isinstance(answer, Accepted):
            stream.accepted = {**stream.accepted, answer.type_url: answer.version}
            stream.nacks = {key: nack for key, nack in stream.nacks.items() if key != answer.type_url}
        else:
            nack = Nack(answer.type_url, answer.version, answer.message)
            stream.nacks = {**stream.nacks, answer.type_url: nack}
        self._view = None

    def closed(self, stream_id: int, node: Node) -> None:
        """A stream has ended. One that is not known is passed over."""
        streams = self._streams.get(node.node_id, {})
        stream = streams.pop(stream_id, None)
        if stream is None:
            return
        if not streams:
            del self._streams[node.node_id], self._nodes[node.node_id]
            self._gone[node.node_id] = NodeView(node, False, stream.accepted, stream.nacks)
            while len(self._gone) > NODES_GONE_MAX:
                del self._gone[next(iter(self._gone))]
        self._view = None

    def view(self) -> FleetView:
        if self._view is None:
            nodes = dict(self._gone)
            for node_id, streams in self._streams.items():
                newest = streams[max(streams)]
                nodes[node_id] = NodeView(self._nodes[node_id], True, newest.accepted, newest.nacks)
            self._view = FleetView(nodes)
        return self._view
