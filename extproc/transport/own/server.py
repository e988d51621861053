"""Our own transport: listens, hands over, drains. HTTP/2 and gRPC are in `extproc.h2`, `extproc.grpc_wire` and `calls`.

Hand-over: a new process binds a name of its own in the same directory, with mode 0600, listens, and renames it over
the socket that Envoy connects to, so there is no instant without a listener. The old process then accepts whoever
reached it before the rename, tells every connection to leave (GOAWAY that turns nothing away), ends log streams with
OK, and reads until Envoy has closed: an entry that was sent is counted, a request that was sent is answered.
"""

import asyncio
import os
import socket
import ssl
import time
from pathlib import Path

from extproc.telemetry.tables import Histogram
from extproc.transport import port
from extproc.transport.own.call import Service
from extproc.transport.own.endpoint import Endpoint, ServerTls, TcpEndpoint
from extproc.transport.own.protocol import PATIENCE, H2Protocol, OpenConnections, Patience

# One connection a worker and cluster of one Envoy; the rest is for a hundred Envoys on TCP.
CONNECTIONS_MAX = 1_024
BACKLOG = 1_024
HANDSHAKE_S = 10.0
# An Envoy whose host has vanished says nothing any more: its connection is found dead after 60 + 3 * 20 s.
TCP_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 3))
# Connections that reached the old listener are in its backlog: one turn of the loop takes them, this is a hundred.
ACCEPT_S = 0.1


class OwnTransport:
    """One server on one endpoint. `start` once, `drain` once."""

    def __init__(
        self,
        endpoint: Endpoint,
        handlers: port.Handlers,
        processing: Histogram,
        *,
        at_once: port.AtOnce | None = None,
        patience: Patience = PATIENCE,
    ) -> None:
        self._endpoint = endpoint
        self._patience = patience
        self._service = Service(handlers, processing, time.perf_counter, at_once)
        self._connections = OpenConnections(CONNECTIONS_MAX)
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def start(self) -> None:
        """See the port. Raises SocketTakenError."""
        loop = asyncio.get_running_loop()
        if isinstance(self._endpoint, TcpEndpoint):
            await self._start_tcp(loop, self._endpoint)
        else:
            listener = self._listen(self._endpoint)
            self._server = await loop.create_unix_server(self._accept, sock=listener)

    @property
    def tcp_port(self) -> int:
        """The port that was taken."""
        assert self._server is not None
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def _start_tcp(self, loop: asyncio.AbstractEventLoop, endpoint: TcpEndpoint) -> None:
        context = _tls_context(endpoint.tls) if endpoint.tls else None
        family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        try:
            listener = socket.create_server((endpoint.host, endpoint.port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise port.SocketTakenError(
                f"cannot bind {endpoint.host}:{endpoint.port}: {error}", next_step="choose another address"
            ) from error
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # connections inherit these
        for option, value in TCP_KEEPALIVE:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)
        self._server = await loop.create_server(
            self._accept,
            sock=listener,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE_S if context else None,
            backlog=BACKLOG,
        )

    def _listen(self, path: Path) -> socket.socket:
        bound = path.with_name(f".{path.name}.{os.getpid()}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o177)  # mode 0600 from the first instant
        try:
            bound.unlink(missing_ok=True)  # of a process that had our number and was killed
            listener.bind(str(bound))
        except OSError as error:
            listener.close()
            raise port.SocketTakenError(
                f"cannot bind {bound}: {error}", next_step="check --socket's directory"
            ) from error
        finally:
            os.umask(umask)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        self._inode = os.stat(bound).st_ino
        os.rename(bound, path)
        return listener

    def _accept(self) -> H2Protocol:
        return H2Protocol(self._service, self._connections, patience=self._patience)

    async def drain(self) -> None:
        """See the port. With a successor on the socket it does not say NOT_SERVING: to Envoy the pair is one host."""
        if self._server is None or self._service.is_draining:
            return
        self._service.is_serving = self._has_successor()
        if self._service.is_serving:
            await asyncio.sleep(ACCEPT_S)
        self._service.is_draining = True
        self._server.close()
        for protocol in self._connections:
            protocol.drain()
        await self._connections.until_none(self._patience.linger_s)
        for protocol in self._connections:
            protocol.close_if_idle()
        await self._connections.until_none(self._patience.drain_s - self._patience.linger_s)
        for protocol in self._connections:
            protocol.abort()
        await self._server.wait_closed()

    def _has_successor(self) -> bool:
        if isinstance(self._endpoint, TcpEndpoint):
            return False
        try:
            return os.stat(self._endpoint).st_ino != self._inode
        except FileNotFoundError:
            return False


def _tls_context(tls: ServerTls) -> ssl.SSLContext:
    """RFC 9113 9.2: TLS 1.2 or newer (Python's floor), without compression, and ALPN "h2"."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.client_ca)
    context.load_cert_chain(tls.cert, tls.key)
    context.set_alpn_protocols(["h2"])
    if tls.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
