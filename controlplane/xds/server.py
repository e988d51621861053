"""The ADS server on grpc.aio: carries bytes between Envoys and the stream machines, and nothing else.

Each stream has at most one push waiting: publishing only sets a mark, and the stream takes the newest snapshot when
it comes to it. So a client that stopped reading delays nobody and grows nothing; when a write has waited for
`WRITE_TIMEOUT_S` the stream is dropped. Until the first `publish` nothing is answered: an empty or older config never
leaves. One event loop, the one that calls `publish`.
"""

import asyncio
import itertools
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, assert_never

import grpc

from controlplane.snapshot.resource import ResourceSet
from controlplane.snapshot.snapshot import Snapshot
from controlplane.xds.errors import StreamError, TooManyStreamsError
from controlplane.xds.fleet import Fleet, FleetView
from controlplane.xds.stream import (
    Accepted,
    Effect,
    Event,
    Ignored,
    Linger,
    Lingered,
    Opened,
    Published,
    Rejected,
    Send,
    StreamState,
    advance,
)
from controlplane.xds.wire import REQUEST_BYTES_MAX, parse_request, response_prefix, with_nonce

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
METHOD = "StreamAggregatedResources"
IDENTIFIER = "serinus"

# For the server that this service is added to. Responses are ours and as large as the configuration; a dead peer is
# found by an unanswered ping within 40 s.
SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
# A reader that takes nothing for this long is stuck; its Envoy reconnects when it lives again.
WRITE_TIMEOUT_S = 30.0
# How long a cluster outlives its last route on a stream. A request asks for its cluster after it has waited for the
# sidecar (50 ms by default), and again when it is retried after a connect that took up to 2 s.
CLUSTER_LINGER_S = 5.0
# Ten thousand proxies, and as many again while all of them reconnect.
STREAMS_MAX = 20_000
# Encoded responses kept for all streams: three types, times the phases of a transition that streams may stand in.
PREFIXES_MAX = 16

_LOG = logging.getLogger("serinus.xds")
_Context = Any  # grpc.aio ships no types for a context of raw bytes


class AdsServer:
    """Serves one snapshot to every Envoy that asks, and keeps the book of who runs what."""

    def __init__(
        self,
        on_change: Callable[[], None] = lambda: None,
        *,
        identifier: str = IDENTIFIER,
        write_timeout_s: float = WRITE_TIMEOUT_S,
        cluster_linger_s: float = CLUSTER_LINGER_S,
    ) -> None:
        """`on_change` is called in the loop after the fleet has changed: a node came, went, accepted or refused."""
        self.on_change = on_change
        self.pushes_total: Counter[str] = Counter()
        self.nacks_total: Counter[str] = Counter()
        self._identifier = identifier
        self._write_timeout_s = write_timeout_s
        self._cluster_linger_s = cluster_linger_s
        self._snapshot: Snapshot | None = None
        self._fleet = Fleet()
        self._streams: dict[int, _Stream] = {}
        self._ids = itertools.count(1)
        self._prefixes: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    @property
    def fleet(self) -> FleetView:
        return self._fleet.view()

    @property
    def stream_count(self) -> int:
        return len(self._streams)

    def publish(self, snapshot: Snapshot) -> None:
        """Puts a snapshot in force; every stream is told what it lacks of it. Call it from the event loop."""
        self._snapshot = snapshot
        for stream in self._streams.values():
            stream.wake.set()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Registers the service. Both directions carry raw bytes: messages are parsed and built in `wire`."""
        handler = grpc.stream_stream_rpc_method_handler(self._serve)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))

    async def _serve(self, _requests: object, context: _Context) -> None:
        stream = _Stream(next(self._ids), context)
        try:
            if len(self._streams) >= STREAMS_MAX:
                raise TooManyStreamsError("this control plane", STREAMS_MAX)
            self._streams[stream.stream_id] = stream
            if self._snapshot is not None:
                stream.wake.set()
            await self._run(stream)
        except StreamError as error:
            _LOG.warning("ads stream refused: %s", error)
            await context.abort(_STATUS[error.code], str(error))
        except TimeoutError:
            _LOG.warning("ads stream dropped: nothing was read for %s s", self._write_timeout_s)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the client has stopped reading")
        finally:
            self._closed(stream)

    async def _run(self, stream: "_Stream") -> None:
        """Requests before pushes, until the client ends the stream. Cancellation passes through (grpc #43360)."""
        read = asyncio.ensure_future(stream.context.read())
        wake = asyncio.ensure_future(stream.wake.wait())
        try:
            while True:
                await asyncio.wait((read, wake), return_when=asyncio.FIRST_COMPLETED)
                if read.done():
                    data = read.result()
                    if data is grpc.aio.EOF:
                        return
                    read = asyncio.ensure_future(stream.context.read())
                    await self._on(stream, parse_request(data))
                elif self._snapshot is not None:
                    stream.wake.clear()
                    wake = asyncio.ensure_future(stream.wake.wait())
                    while stream.lingered:
                        await self._on(stream, Lingered(stream.lingered.pop()))
                    await self._on(stream, Published(self._snapshot))
        finally:
            read.cancel()
            wake.cancel()

    async def _on(self, stream: "_Stream", event: Event) -> None:
        stream.state, effects = advance(stream.state, event)
        is_changed = False
        for effect in effects:
            is_changed |= self._book(stream, effect)
        if is_changed:
            self.on_change()
        for effect in effects:
            if isinstance(effect, Send):
                async with asyncio.timeout(self._write_timeout_s):
                    await stream.context.write(
                        with_nonce(self._prefix(effect.type_url, effect.resources), effect.nonce)
                    )
                self.pushes_total[effect.type_url] += 1

    def _book(self, stream: "_Stream", effect: Effect) -> bool:
        """Puts an effect into the book of the fleet. Whether the fleet has changed by it."""
        match effect:
            case Opened(node):
                self._fleet.opened(stream.stream_id, node)
                return True
            case Accepted() | Rejected():
                if isinstance(effect, Rejected):
                    self.nacks_total[effect.type_url] += 1
                    _LOG.warning("a node refused %s %s: %s", effect.type_url, effect.version, effect.message)
                assert stream.state.node is not None, "only a stream with a node answers"
                self._fleet.answered(stream.stream_id, stream.state.node, effect)
                return True
            case Linger(generation):
                stream.linger(generation, self._cluster_linger_s)
                return False
            case Ignored() | Send():
                return False
            case _:
                assert_never(effect)

    def _prefix(self, type_url: str, resources: ResourceSet) -> bytes:
        """The encoded response, shared by all streams that are sent the same content."""
        key = (type_url, resources.version)
        prefix = self._prefixes.get(key)
        if prefix is None:
            prefix = self._prefixes[key] = response_prefix(type_url, resources, self._identifier)
            if len(self._prefixes) > PREFIXES_MAX:
                self._prefixes.popitem(last=False)
        self._prefixes.move_to_end(key)
        return prefix

    def _closed(self, stream: "_Stream") -> None:
        self._streams.pop(stream.stream_id, None)
        stream.close()
        if stream.state.node is not None:
            self._fleet.closed(stream.stream_id, stream.state.node)
            self.on_change()


class _Stream:
    """What the shell holds of one stream: its machine's state and the mark that there is something to push."""

    __slots__ = ("_timers", "context", "lingered", "state", "stream_id", "wake")

    def __init__(self, stream_id: int, context: _Context) -> None:
        self.stream_id = stream_id
        self.context = context
        self.state = StreamState()
        self.wake = asyncio.Event()
        self.lingered: list[int] = []
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def linger(self, generation: int, seconds: float) -> None:
        self._timers[generation] = asyncio.get_running_loop().call_later(seconds, self._has_lingered, generation)

    def _has_lingered(self, generation: int) -> None:
        del self._timers[generation]
        self.lingered.append(generation)
        self.wake.set()

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()


_STATUS = {
    StreamError.code: grpc.StatusCode.INVALID_ARGUMENT,
    TooManyStreamsError.code: grpc.StatusCode.RESOURCE_EXHAUSTED,
}
