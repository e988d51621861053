"""The ADS server on grpc.aio: carries bytes between Envoys and the stream machines, and nothing else.

Each stream has at most one push waiting: publishing only sets marks, and a stream takes its newest snapshot when
it comes to its turn. So a client that stopped reading delays nobody and grows nothing; when a write has waited for
`WRITE_TIMEOUT_S` the stream is dropped. Turns come a few at a time, so that requests are read between them. Until a
group's first `publish` nothing is answered: an empty or older config never leaves. One event loop, the one that calls
`publish`.
"""

import asyncio
import itertools
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

import grpc

from controlplane.snapshot.mode import Mode
from controlplane.snapshot.resource import CLUSTER
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.errors import (
    DuplicateNodeError,
    StreamError,
    SupersededError,
    TooManyStreamsError,
    UnknownNodeError,
)
from controlplane.xds.events import (
    Accepted,
    DeltaRequest,
    DeltaSend,
    Ignored,
    Linger,
    Lingered,
    Node,
    Opened,
    Overdue,
    Published,
    Rejected,
    Request,
    Send,
)
from controlplane.xds.fleet import FleetView
from controlplane.xds.group import Group
from controlplane.xds.groups import GroupBook
from controlplane.xds.machine import Machine
from controlplane.xds.memo import Memo
from controlplane.xds.node import first_node
from controlplane.xds.responses import Responses
from controlplane.xds.runner import WRITE_TIMEOUT_S, Stream

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
METHODS = {"StreamAggregatedResources": Mode.SOTW, "DeltaAggregatedResources": Mode.DELTA}
IDENTIFIER = "serinus"

# How long a cluster outlives its last route on a stream. A request asks for its cluster after it has waited for the
# sidecar (50 ms by default), and again when it is retried after a connect that took up to 2 s.
CLUSTER_LINGER_S = 5.0
# How long an answer to clusters is waited for. A cluster is warm after its first health check (its timeout is seconds)
# and with its secrets (15 s at most, then Envoy goes on without).
CLUSTERS_OVERDUE_S = 30.0
# Ten thousand proxies, and as many again while all of them reconnect.
STREAMS_MAX = 20_000
# Streams that take their turn before the event loop looks for requests again: 16 pushes are about two milliseconds.
TURNS_AT_ONCE = 16
# Refused streams that are shown to people; a misconfigured proxy comes back every second.
REFUSALS_MAX = 20

_LOG = logging.getLogger("serinus.xds")
_Context = Any  # grpc.aio ships no types for a context of raw bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stream that was refused, for people. Times are milliseconds of the event loop's clock."""

    node: Node
    reason: str
    at_ms: int


class AdsServer:
    """Serves each group's snapshot to every Envoy of it that asks, and keeps the book of who runs what."""

    def __init__(
        self,
        on_change: Callable[[], None] = lambda: None,
        *,
        identifier: str = IDENTIFIER,
        write_timeout_s: float = WRITE_TIMEOUT_S,
        cluster_linger_s: float = CLUSTER_LINGER_S,
        clusters_overdue_s: float = CLUSTERS_OVERDUE_S,
        streams_max: int = STREAMS_MAX,
    ) -> None:
        """`on_change` is called in the loop after a fleet has changed: a node came, went, accepted or refused."""
        self.on_change = on_change
        self.pushes_total: Counter[str] = Counter()
        self.nacks_total: Counter[str] = Counter()
        self.refusals: deque[Refusal] = deque(maxlen=REFUSALS_MAX)
        self._write_timeout_s = write_timeout_s
        self._cluster_linger_s = cluster_linger_s
        self._clusters_overdue_s = clusters_overdue_s
        self._streams_max = streams_max
        self._book = GroupBook()
        self._groups: dict[str, Group] = {}
        self._streams: dict[int, Stream] = {}
        self._woken: deque[Stream] = deque()
        self._ids = itertools.count(1)
        self._responses = Responses(identifier)
        self._memo = Memo()

    @property
    def stream_count(self) -> int:
        return len(self._streams)

    def fleet(self, group: str) -> FleetView:
        """The nodes of a group; none for a group that is not known."""
        known = self._groups.get(group)
        return known.fleet.view(_now_ms()) if known is not None else FleetView()

    def set_groups(self, book: GroupBook) -> None:
        """Which proxies are served. Streams of nodes that are no longer of their group end with the reason."""
        self._book = book
        for name in book.groups:
            self._groups.setdefault(name, Group())
        for stream in self._streams.values():
            if stream.node is not None:
                try:
                    book.group_of(stream.node)
                except StreamError as error:
                    stream.end(error)
        for name in self._groups.keys() - book.groups.keys():
            del self._groups[name]

    def publish(self, group: str, snapshot: Snapshot) -> None:
        """Puts a group's snapshot in force; each of its streams is told what it lacks. Call it from the event loop.

        Raises KeyError for a group that `set_groups` did not name.
        """
        known = self._groups[group]
        known.publish(snapshot)
        for stream in self._streams.values():
            if stream.group == group:
                self._wake(stream)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service. Both directions carry raw bytes: messages are parsed and built in `wire`."""
        handlers = {
            method: grpc.stream_stream_rpc_method_handler(self._handler(mode)) for method, mode in METHODS.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    def _handler(self, mode: Mode) -> Callable[[object, _Context], Any]:
        async def serve(_requests: object, context: _Context) -> None:
            machine, encode = Machine(mode, self._memo), self._responses.encoded
            await self._serve(Stream(next(self._ids), context, machine, encode, self._write_timeout_s))

        return serve

    async def _serve(self, stream: Stream) -> None:
        try:
            if len(self._streams) >= self._streams_max:
                raise TooManyStreamsError("this control plane", self._streams_max)
            self._streams[stream.stream_id] = stream
            await stream.run(self._asked)
        except StreamError as error:
            self._refused(stream, error)
            await stream.abort(_STATUS[error.code], str(error))
        except TimeoutError:
            _LOG.warning("ads stream dropped: nothing was read for %s s", self._write_timeout_s)
            await stream.abort(grpc.StatusCode.UNAVAILABLE, "the client has stopped reading")
        finally:
            self._closed(stream)

    def _refused(self, stream: Stream, error: StreamError) -> None:
        _LOG.warning("ads stream refused: %s", error)
        if stream.asked_by is not None and not isinstance(error, SupersededError):
            self.refusals.append(Refusal(stream.asked_by, str(error), _now_ms()))

    def _asked(self, stream: Stream, request: Request | DeltaRequest) -> None:
        self._on(stream, self._known(stream, request))

    def _wake(self, stream: Stream) -> None:
        """There is something for the stream to look at: a snapshot, or something that is due."""
        if not stream.is_woken:
            stream.is_woken = True
            if not self._woken:
                asyncio.get_running_loop().call_soon(self._turns)
            self._woken.append(stream)

    def _turns(self) -> None:
        for _ in range(min(TURNS_AT_ONCE, len(self._woken))):
            stream = self._woken.popleft()
            stream.is_woken = False
            try:
                self._turn(stream)
            except Exception as error:
                stream.end(error)
        if self._woken:
            asyncio.get_running_loop().call_soon(self._turns)

    def _turn(self, stream: Stream) -> None:
        while stream.due:
            self._on(stream, stream.due.pop())
        group = self._groups.get(stream.group)
        if group is not None and group.snapshot is not None:
            self._on(stream, Published(group.snapshot))
        stream.flush()

    def _known(self, stream: Stream, request: Request | DeltaRequest) -> Request | DeltaRequest:
        """The request with what its client brings from before. Raises StreamError for a node of no group."""
        if stream.node is None:
            stream.asked_by = request.node
            node = first_node(request.node)
            stream.require_certificate_of(node)
            stream.group = self._book.group_of(node)
        group = self._groups.get(stream.group)
        if group is None or request.type_url in stream.machine.state.types:
            return request
        return group.recognised(request, stream.asked_by)

    def _on(self, stream: Stream, event: Request | DeltaRequest | Published | Lingered | Overdue) -> None:
        effects = stream.machine.advance(event)
        is_changed = False
        for effect in effects:
            if isinstance(effect, Send | DeltaSend):
                self._send(stream, effect)
            else:
                is_changed |= self._book_effect(stream, effect)
        if is_changed:
            self.on_change()

    def _send(self, stream: Stream, effect: Send | DeltaSend) -> None:
        if effect.type_url == CLUSTER:
            if isinstance(effect, Send):
                self._groups[stream.group].history.remember(CLUSTER, effect.resources)
            stream.answered()
            stream.later(Overdue(effect.nonce), self._clusters_overdue_s, self._wake)
        stream.outbox.append(effect)
        self.pushes_total[effect.type_url] += 1

    def _book_effect(self, stream: Stream, effect: Opened | Accepted | Rejected | Linger | Ignored) -> bool:
        """Puts an effect into the book of the fleet. Whether the fleet has changed by it."""
        match effect:
            case Opened(node):
                group = self._groups[stream.group]
                superseded = group.fleet.opened(stream.stream_id, node, stream.machine.mode, _now_ms())
                stream.node = node
                if superseded is not None and superseded in self._streams:
                    self._streams[superseded].end(SupersededError(node.node_id))
                self._wake(stream)
                return True
            case Accepted() | Rejected():
                if isinstance(effect, Rejected):
                    self.nacks_total[effect.type_url] += 1
                    _LOG.warning("a node refused %s %s: %s", effect.type_url, effect.version, effect.message)
                group = self._groups.get(stream.group, Group())
                assert stream.node is not None, "only a stream with a node answers"
                group.fleet.answered(stream.stream_id, stream.node.node_id, effect)
                return True
            case Linger(generation):
                stream.later(Lingered(generation), self._cluster_linger_s, self._wake)
                return False
            case Ignored():
                return False
            case _:
                assert_never(effect)

    def _closed(self, stream: Stream) -> None:
        self._streams.pop(stream.stream_id, None)
        if stream.node is not None and stream.group in self._groups:
            self._groups[stream.group].fleet.closed(stream.stream_id, stream.node.node_id)
            self.on_change()


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)


_STATUS = {
    StreamError.code: grpc.StatusCode.INVALID_ARGUMENT,
    TooManyStreamsError.code: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UnknownNodeError.code: grpc.StatusCode.PERMISSION_DENIED,
    SupersededError.code: grpc.StatusCode.ABORTED,
    DuplicateNodeError.code: grpc.StatusCode.ALREADY_EXISTS,
}
