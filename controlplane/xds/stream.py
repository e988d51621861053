"""One ADS stream, state of the world: (state, event) -> (state, effects). Pure, no clock, no I/O.

Rules (xDS protocol; numbers are the section titles' rules in short):
- the node is guaranteed only in the first request of a stream and is remembered;
- a nonce is unique per response on its stream; a request with a nonce that is not the newest is ignored whole;
- a request that answers the newest nonce accepts it, unless `error_detail` is set: then it rejects it. Versions are
  never compared for that;
- at most one response of a type waits for its answer: what comes meanwhile is merged, and what the client runs is
  always known (it is the accepted or the pending one, never one of several that were under way);
- what was rejected is not sent again until its content changes; what was sent is not sent again at all;
- nothing is sent before there is a snapshot; a client that comes with the version that is in force gets nothing;
- a resource goes out only when the clusters that it names were accepted on this stream. Hence a client that never
  asks for clusters gets no routes either;
- a cluster leaves only when no route that the client runs names it, and then lingers: a request keeps the routes of
  its start, and one that waits in ext_proc, or is tried again, asks for its cluster later (503 NC if it had gone).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from controlplane.snapshot.resource import CLUSTER, ResourceSet
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.errors import StreamError
from controlplane.xds.order import TYPE_ORDER, clusters_to_keep, held_clusters, in_order
from controlplane.xds.subscription import Subscription

# Node ids are host or pod names (253 bytes at most); they end up in reports.
NODE_ID_BYTES_MAX = 256
# Envoy's words can name every resource of a response. 2 KiB hold the first ones, and end up on the rollout.
NACK_MESSAGE_CHARS_MAX = 2_048


@dataclass(frozen=True, slots=True)
class Node:
    node_id: str
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A DiscoveryRequest. `error` is the text of `error_detail`, None when it is not set."""

    type_url: str
    names: tuple[str, ...] = ()
    version: str = ""
    nonce: str = ""
    error: str | None = None
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A new snapshot is in force."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Lingered:
    """Clusters that a `Linger` spoke of have lingered long enough."""

    generation: int


Event = Request | Published | Lingered


@dataclass(frozen=True, slots=True)
class Send:
    """A DiscoveryResponse to write."""

    type_url: str
    nonce: str
    resources: ResourceSet


@dataclass(frozen=True, slots=True)
class Opened:
    """The node has named itself."""

    node: Node


@dataclass(frozen=True, slots=True)
class Accepted:
    """The node runs all that it wants of this type in the snapshot whose version of the type this is."""

    type_url: str
    version: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The node refused a response and goes on with what it had. `message` is its own words."""

    type_url: str
    version: str
    message: str


@dataclass(frozen=True, slots=True)
class Linger:
    """Clusters have lost their last route: `Lingered` with this generation is to follow after the linger time."""

    generation: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """A request that changes nothing: `stale nonce` or `unknown type`."""

    type_url: str
    reason: str


Effect = Send | Opened | Accepted | Rejected | Linger | Ignored


@dataclass(frozen=True, slots=True)
class TypeState:
    """One type on one stream.

    `claimed`: the version that the client brought from before this stream. `sent`: what its last response held, of
    what it still wants. `accepted`: what it runs, as far as this stream knows. `is_pending`: the response with `nonce`
    has no answer yet. `reported`: the version last told as Accepted.
    """

    subscription: Subscription
    claimed: str = ""
    sent: ResourceSet | None = None
    accepted: ResourceSet | None = None
    nonce: str = ""
    is_pending: bool = False
    reported: str = ""

    @property
    def pending(self) -> ResourceSet | None:
        """What was sent and is not answered yet."""
        return self.sent if self.is_pending else None


@dataclass(frozen=True, slots=True)
class StreamState:
    """`lingering`: clusters without a route, by generation. Counts say how many were given out so far."""

    node: Node | None = None
    target: Snapshot | None = None
    types: Mapping[str, TypeState] = field(default_factory=dict)
    responses: int = 0
    lingering: Mapping[int, frozenset[str]] = field(default_factory=dict)
    generations: int = 0


def advance(state: StreamState, event: Event) -> tuple[StreamState, tuple[Effect, ...]]:
    """The stream after an event, and what is to be done, in this order.

    Raises StreamError for a request that the stream cannot go on from; the state is then as it was.
    """
    effects: list[Effect] = []
    match event:
        case Published(snapshot):
            state = replace(state, target=snapshot)
        case Request():
            state, is_taken = _take(state, event, effects)
            if not is_taken:
                return state, tuple(effects)
        case Lingered(generation):
            left = {key: names for key, names in state.lingering.items() if key != generation}
            state = replace(state, lingering=left)
        case _:
            assert_never(event)
    return _push(state, effects), tuple(effects)


def _take(state: StreamState, request: Request, effects: list[Effect]) -> tuple[StreamState, bool]:
    """The state with a request taken in, and whether it counted."""
    if not request.type_url:
        raise StreamError("a request on an aggregated stream needs a type_url", next_step="set type_url")
    if state.node is None:
        node = _first_node(request)
        state = replace(state, node=node)
        effects.append(Opened(node))
    if request.type_url not in TYPE_ORDER:
        effects.append(Ignored(request.type_url, "unknown type"))
        return state, False
    current = state.types.get(request.type_url)
    if current is None:
        # The first of its type: a nonce that it may carry is of an earlier stream and means nothing here.
        current = TypeState(Subscription(request.type_url), claimed=request.version)
    elif request.nonce != current.nonce:
        effects.append(Ignored(request.type_url, "stale nonce"))
        return state, False
    elif current.is_pending:
        current = _answered(current, request, effects)
    subscription = current.subscription.updated(request.names)
    current = replace(
        current,
        subscription=subscription,
        sent=subscription.of(current.sent) if current.sent else current.sent,
        accepted=subscription.of(current.accepted) if current.accepted else current.accepted,
    )
    before = state.types.get(request.type_url)
    state = replace(state, types={**state.types, request.type_url: current})
    return _linger(state, before, current, effects), True


def _linger(state: StreamState, before: TypeState | None, now: TypeState, effects: list[Effect]) -> StreamState:
    """Clusters that the client has just stopped to name begin to linger."""
    if before is None or before.accepted is None:
        return state
    left = before.accepted.clusters - (now.accepted.clusters if now.accepted is not None else frozenset())
    if not left:
        return state
    generation = state.generations + 1
    effects.append(Linger(generation))
    return replace(state, generations=generation, lingering={**state.lingering, generation: left})


def _first_node(request: Request) -> Node:
    if request.node is None or not request.node.node_id:
        raise StreamError("the first request of a stream needs node.id", next_step="set node.id in Envoy's bootstrap")
    if len(request.node.node_id.encode()) > NODE_ID_BYTES_MAX:
        raise StreamError(f"node.id has more than {NODE_ID_BYTES_MAX} bytes", next_step="use a shorter node.id")
    return request.node


def _answered(current: TypeState, request: Request, effects: list[Effect]) -> TypeState:
    """ACK or NACK of the newest response."""
    if request.error is None:
        return replace(current, is_pending=False, accepted=current.sent)
    version = current.sent.version if current.sent is not None else ""
    effects.append(Rejected(request.type_url, version, request.error[:NACK_MESSAGE_CHARS_MAX]))
    return replace(current, is_pending=False, reported="")


def _push(state: StreamState, effects: list[Effect]) -> StreamState:
    """Everything that is wanted, not sent and allowed now; and which types have come to the target."""
    if state.target is None:
        return state
    types = dict(state.types)
    responses = state.responses
    for type_url in in_order(types):
        current = types[type_url]
        wanted = _wanted(state, state.target, types, type_url)
        if current.sent is None and current.claimed == wanted.version and not current.subscription.is_empty:
            current = replace(current, sent=wanted, accepted=wanted)
        is_due = not current.is_pending and current.subscription.lacks(current.sent, wanted)
        if is_due and wanted.clusters <= _held_clusters(types):
            responses += 1
            current = replace(current, sent=wanted, nonce=str(responses), is_pending=True)
            effects.append(Send(type_url, current.nonce, wanted))
        types[type_url] = _reported(state.target, current, effects)
    return replace(state, types=types, responses=responses)


def _wanted(state: StreamState, target: Snapshot, types: Mapping[str, TypeState], type_url: str) -> ResourceSet:
    current = types[type_url]
    wanted = current.subscription.of(target.of_type(type_url))
    if type_url != CLUSTER:
        return wanted
    users = [item.clusters for other in types.values() for item in (other.accepted, other.pending) if item is not None]
    return clusters_to_keep(wanted, current.accepted, [*users, *state.lingering.values()])


def _held_clusters(types: Mapping[str, TypeState]) -> frozenset[str]:
    clusters = types.get(CLUSTER)
    return held_clusters(clusters.accepted, clusters.pending) if clusters is not None else frozenset()


def _reported(target: Snapshot, current: TypeState, effects: list[Effect]) -> TypeState:
    """Tells Accepted once, when the client lacks nothing that it wants of the target."""
    type_url = current.subscription.type_url
    goal = target.of_type(type_url)
    if current.is_pending or current.reported == goal.version:
        return current
    if current.subscription.lacks(current.accepted, current.subscription.of(goal)):
        return current
    effects.append(Accepted(type_url, goal.version))
    return replace(current, reported=goal.version)
