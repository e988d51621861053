"""Listening on TCP, TLS and mutual TLS. The Unix socket and its hand-over stand in test_port.py, for both transports."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from controlplane.clock import SystemClock
from controlplane.security.ca import Issued, issue_client, issue_server, make_authority
from extproc.h2 import frames
from extproc.transport import port
from extproc.transport.own import server as server_module
from extproc.transport.own.endpoint import ServerTls, TcpEndpoint
from extproc.transport.own.protocol import Patience
from extproc.transport.own.server import OwnTransport
from extproc.transport.port import SocketTakenError
from tests.unit.extproc.h2.peer import GREETING, headers, parse, rst
from tests.unit.extproc.transport.sidecar import LOOPS, RecordingSidecar, eventually, histogram, run_on

pytestmark = pytest.mark.parametrize("loop", LOOPS)


class Certificates:
    """A server's and a client's, of one authority, and a stranger's."""

    def __init__(self, directory: Path) -> None:
        now_ms = SystemClock().now_ms()
        authority, other = make_authority(now_ms=now_ms, days=1), make_authority(now_ms=now_ms, days=1)
        server = issue_server(authority, hosts=["127.0.0.1"], now_ms=now_ms)
        self.client = issue_client(authority, "envoy", now_ms=now_ms)
        self.stranger = issue_client(other, "envoy", now_ms=now_ms)
        self.ca_pem = authority.issued.cert_pem
        self.ca, self.cert, self.key = (directory / name for name in ("ca", "cert", "key"))
        for path, pem in ((self.ca, self.ca_pem), (self.cert, server.cert_pem), (self.key, server.key_pem)):
            path.write_bytes(pem)

    def channel(self, tcp_port: int, identity: Issued | None = None) -> grpc.aio.Channel:
        key, cert = (identity.key_pem, identity.cert_pem) if identity else (None, None)
        credentials = grpc.ssl_channel_credentials(self.ca_pem, key, cert)
        return grpc.aio.secure_channel(f"127.0.0.1:{tcp_port}", credentials)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@asynccontextmanager
async def serving(tls: ServerTls | None = None) -> AsyncIterator[OwnTransport]:
    transport = OwnTransport(TcpEndpoint("127.0.0.1", 0, tls), RecordingSidecar(), histogram())
    await transport.start()
    try:
        yield transport
    finally:
        await transport.drain()


@asynccontextmanager
async def connected(tcp_port: int) -> AsyncIterator[None]:
    with socket.create_connection(("127.0.0.1", tcp_port)):
        yield


async def tag(channel: grpc.aio.Channel) -> bytes:
    async with channel:
        call = channel.stream_stream(port.PROCESS_METHOD)()
        await call.write(b"tag")
        answer: bytes = await call.read()
        assert await call.code() is grpc.StatusCode.OK
        return answer


def test_plain_tcp(loop: str) -> None:
    async def story() -> None:
        async with serving() as transport:
            assert await tag(grpc.aio.insecure_channel(f"127.0.0.1:{transport.tcp_port}")) == b"re:tag"

    run_on(loop, story)


def test_tls(loop: str, certificates: Certificates) -> None:
    async def story() -> None:
        async with serving(ServerTls(certificates.cert, certificates.key)) as transport:
            assert await tag(certificates.channel(transport.tcp_port)) == b"re:tag"

    run_on(loop, story)


def test_mutual_tls_takes_a_client_of_its_authority_and_no_other(loop: str, certificates: Certificates) -> None:
    async def story() -> None:
        async with serving(ServerTls(certificates.cert, certificates.key, certificates.ca)) as transport:
            assert await tag(certificates.channel(transport.tcp_port, certificates.client)) == b"re:tag"
            for identity in (None, certificates.stranger):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await tag(certificates.channel(transport.tcp_port, identity))
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE

    run_on(loop, story)


def test_a_tls_client_that_does_not_choose_h2_is_turned_away(loop: str, certificates: Certificates) -> None:
    """RFC 9113 3.2."""

    async def story() -> None:
        async with serving(ServerTls(certificates.cert, certificates.key)) as transport:
            context = ssl.create_default_context(cadata=certificates.ca_pem.decode())
            reader, writer = await asyncio.open_connection("127.0.0.1", transport.tcp_port, ssl=context)
            writer.write(GREETING)
            with pytest.raises((ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            writer.close()

    run_on(loop, story)


def test_a_connection_over_tcp_is_asked_whether_it_lives(loop: str) -> None:
    async def story() -> None:
        async with serving() as transport, connected(transport.tcp_port):
            await eventually(lambda: len(transport._connections) == 1)
            (protocol,) = transport._connections
            assert protocol._transport is not None
            server_end = protocol._transport.get_extra_info("socket")
            with socket.fromfd(server_end.fileno(), server_end.family, server_end.type) as same:
                assert same.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert same.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60

    run_on(loop, story)


def test_over_tls_a_refused_peer_reads_why(loop: str, certificates: Certificates) -> None:
    async def story() -> None:
        async with serving(ServerTls(certificates.cert, certificates.key)) as transport:
            context = ssl.create_default_context(cadata=certificates.ca_pem.decode())
            context.set_alpn_protocols(["h2"])
            reader, writer = await asyncio.open_connection("127.0.0.1", transport.tcp_port, ssl=context)
            writer.write(GREETING + rst(0))
            *_, goaway = parse(await reader.read())
            assert goaway.kind == frames.GOAWAY
            writer.close()

    run_on(loop, story)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_addresses_of_either_family(loop: str, host: str) -> None:
    async def story() -> None:
        transport = OwnTransport(TcpEndpoint(host, 0), RecordingSidecar(), histogram())
        await transport.start()
        at = f"[{host}]" if ":" in host else "127.0.0.1"
        assert await tag(grpc.aio.insecure_channel(f"{at}:{transport.tcp_port}")) == b"re:tag"
        await transport.drain()

    run_on(loop, story)


def test_an_address_that_is_taken_is_named(loop: str) -> None:
    async def story() -> None:
        async with serving() as transport:
            second = OwnTransport(TcpEndpoint("127.0.0.1", transport.tcp_port), RecordingSidecar(), histogram())
            with pytest.raises(SocketTakenError, match=f"cannot bind 127.0.0.1:{transport.tcp_port}"):
                await second.start()

    run_on(loop, story)


def test_what_runs_for_too_long_is_cut_when_the_process_drains(loop: str) -> None:
    async def story() -> None:
        sidecar = RecordingSidecar()
        patience = Patience(linger_s=0.05, drain_s=0.1)
        transport = OwnTransport(TcpEndpoint("127.0.0.1", 0), sidecar, histogram(), patience=patience)
        await transport.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{transport.tcp_port}") as channel:
            call = channel.stream_stream(port.PROCESS_METHOD)()
            await call.write(b"a response that lasts")
            await eventually(lambda: sidecar.messages == [b"a response that lasts"])
            await asyncio.wait_for(transport.drain(), 2)
            assert await call.code() is grpc.StatusCode.UNAVAILABLE
        assert sidecar.closed == 1

    run_on(loop, story)


def test_connections_are_bounded(loop: str) -> None:
    async def story() -> None:
        async with serving() as transport:
            address = ("127.0.0.1", transport.tcp_port)
            held = [socket.create_connection(address) for _ in range(server_module.CONNECTIONS_MAX)]
            await eventually(lambda: len(transport._connections) == server_module.CONNECTIONS_MAX)
            reader, writer = await asyncio.open_connection(*address)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
            writer.close()
            for each in held:
                each.close()
            await eventually(lambda: len(transport._connections) == 0)
            assert await tag(grpc.aio.insecure_channel(f"127.0.0.1:{transport.tcp_port}")) == b"re:tag"

    run_on(loop, story)


def test_what_reached_the_old_listener_before_the_rename_is_served(loop: str, tmp_path: Path) -> None:
    """Such a connection is in the old one's backlog when its drain begins."""

    async def story() -> None:
        path = tmp_path / "e.sock"
        old, new = (OwnTransport(path, RecordingSidecar(), histogram()) for _ in range(2))
        await old.start()
        late = socket.socket(socket.AF_UNIX)
        late.connect(str(path))  # the loop has not turned yet
        late.sendall(GREETING + headers(1, end=True))
        await new.start()
        await old.drain()
        late.settimeout(5)
        answer = b""
        while piece := late.recv(65_536):
            answer += piece
        assert [frame.stream_id for frame in parse(answer) if frame.kind == frames.HEADERS] == [1]
        late.close()
        await new.drain()

    run_on(loop, story)


def test_the_name_of_a_process_that_was_killed_is_no_hindrance(loop: str, tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "e.sock"
        (tmp_path / f".e.sock.{os.getpid()}").touch()
        path.touch()
        transport = OwnTransport(path, RecordingSidecar(), histogram())
        await transport.start()
        assert await tag(grpc.aio.insecure_channel(f"unix:{path}")) == b"re:tag"
        path.unlink()
        await transport.drain()
        await transport.drain()

    run_on(loop, story)


def test_one_that_was_never_started_drains(loop: str, tmp_path: Path) -> None:
    run_on(loop, OwnTransport(tmp_path / "e.sock", RecordingSidecar(), histogram()).drain)
