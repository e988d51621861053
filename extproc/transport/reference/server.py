"""The reference transport: grpcio.aio with generic handlers on a Unix socket.

Hand-over: a new process binds a name of its own in the same directory, sets its mode and renames it over the socket
that Envoy connects to, so there is no instant without a listener. grpcio refuses what arrives between its own stop and
the peer's reading of GOAWAY (1-7 requests went untagged at 300 a second), so the old process first lets Envoy leave:
every connection is told to go after `CONNECTION_AGE_MS` anyway, gracefully, and new ones reach the successor. Then it
takes one more message on each access-log stream, ends it with OK, and stops. grpcio unlinks, when it stops, the name
it was *bound* to, which is gone by then: the successor's socket is safe (tested).

Thin where the own transport will be exact: after OK this one cannot read what Envoy flushed in the same millisecond.
Envoy flushes each 0.1 s, and we end a stream right after a message, so little is lost; what is lost is counted from
Envoy's own counter.

A handler must re-raise CancelledError (grpc #43360 leaks otherwise): Envoy resets every ext_proc stream at its end.
"""

import asyncio
import os
import time
from pathlib import Path

import grpc

from extproc.telemetry.tables import Histogram
from extproc.transport import port

# How long a connection takes new streams. Short, since a hand-over waits for it; a new one costs ~1 ms of two workers.
CONNECTION_AGE_MS = 2_000
# gRPC spreads the age by a tenth; the rest is for the peer to read its GOAWAY on a busy machine.
LEAVE_S = CONNECTION_AGE_MS / 1_000 * 1.1 + 0.3
# Envoy flushes its logs each 0.1 s: a stream that is silent for ten of these has nothing to say.
DRAIN_GRACE_S = 1.0
# The first log message of each stream carries Envoy's node (62 KB); body pieces are bounded by its 1 MiB buffers.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024


class GrpcioTransport:
    """One server on one socket path. `start` once, `drain` once."""

    def __init__(self, path: Path, handlers: port.Handlers, processing: Histogram) -> None:
        self._path = path
        self._handlers = handlers
        self._processing = processing
        self._server: grpc.aio.Server | None = None
        self._draining = asyncio.Event()
        self._inode = 0
        self._is_serving = False
        self._log_streams = 0

    async def start(self) -> None:
        """See the port. Raises SocketTakenError."""
        options = [
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_connection_age_ms", CONNECTION_AGE_MS),  # running streams go on: no grace is set
        ]
        if not os.access(self._path.parent, os.W_OK | os.X_OK):  # a grpcio server that never starts cannot be stopped
            raise _taken(self._path, "no directory that we may write to")
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers((_Methods(self),))
        bound = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        umask = os.umask(0o177)  # mode 0600 from the first instant
        try:
            server.add_insecure_port(f"unix:{bound}")
        except RuntimeError as error:
            raise _taken(bound, str(error)) from error
        finally:
            os.umask(umask)
        await server.start()
        self._is_serving = True
        self._inode = os.stat(bound).st_ino
        os.rename(bound, self._path)
        self._server = server

    async def drain(self) -> None:
        """See the port. Without a successor it also says NOT_SERVING; with one it does not, or Envoy would take the
        pair, which is one host to it, for unhealthy and pass some requests untagged."""
        if self._server is None or self._draining.is_set():
            return
        self._is_serving = self._has_successor()
        if self._is_serving:
            await asyncio.sleep(LEAVE_S)
        self._draining.set()
        await self._server.stop(DRAIN_GRACE_S)

    def _has_successor(self) -> bool:
        try:
            return os.stat(self._path).st_ino != self._inode
        except FileNotFoundError:
            return False

    async def process(self, _requests: object, context: grpc.aio.ServicerContext) -> None:
        """ExternalProcessor/Process."""
        stream = self._handlers.open_process()
        try:
            while (message := await context.read()) is not grpc.aio.EOF:
                started_ns = time.perf_counter_ns()
                reply = stream.receive(message)
                if reply.message is not None:
                    self._processing.observe((time.perf_counter_ns() - started_ns) / 1e9)
                    await context.write(reply.message)
                if reply.is_done:
                    return
        finally:
            stream.close()

    async def access_logs(self, _requests: object, context: grpc.aio.ServicerContext) -> None:
        """AccessLogService/StreamAccessLogs: never answered, ended only to hand over."""
        while (message := await context.read()) is not grpc.aio.EOF:
            self._handlers.access_logs(message)
            if self._draining.is_set():
                return

    async def health_check(self, _requests: object, context: grpc.aio.ServicerContext) -> None:
        await context.read()
        await context.write(self._health())

    async def health_watch(self, _requests: object, context: grpc.aio.ServicerContext) -> None:
        await context.read()
        await context.write(self._health())
        await self._draining.wait()
        await context.write(self._health())

    def _health(self) -> bytes:
        return port.HEALTH_SERVING if self._is_serving else port.HEALTH_NOT_SERVING


def _taken(path: Path, reason: str) -> port.SocketTakenError:
    return port.SocketTakenError(f"cannot bind {path}: {reason}", next_step="check --socket's directory")


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Method path -> handler, bytes on both sides. All as stream-stream: on the wire there is no other kind."""

    def __init__(self, transport: GrpcioTransport) -> None:
        self._handlers = {
            port.PROCESS_METHOD: grpc.stream_stream_rpc_method_handler(transport.process),
            port.ACCESS_LOGS_METHOD: grpc.stream_stream_rpc_method_handler(transport.access_logs),
            port.HEALTH_CHECK_METHOD: grpc.stream_stream_rpc_method_handler(transport.health_check),
            port.HEALTH_WATCH_METHOD: grpc.stream_stream_rpc_method_handler(transport.health_watch),
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return self._handlers.get(details.method)
