"""Model servers of every kind that a version may have: HTTP, SSE, WebSocket, gRPC, each also behind TLS."""

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from aiohttp import WSMsgType, web
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from controlplane.security.ca import Authority, Issued, issue_server

ECHO_UNARY, ECHO_STREAM = "/test.Echo/Say", "/test.Echo/Chat"


@dataclass
class Server:
    """A server that says its name. `gate` holds answers back until it is set."""

    name: str
    port: int = 0
    is_broken: bool = False
    requests: list[Mapping[str, str]] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/health":
            return web.Response()
        self.requests.append({key.lower(): value for key, value in request.headers.items()})
        self.clients.append(_client_name(request))
        if self.is_broken:
            return web.Response(status=500)
        match request.path:
            case "/wait":
                return await self._wait()
            case "/stream":
                return await self._stream(request)
            case "/socket":
                return await _socket(request)
        return web.Response(text=self.name)

    async def _wait(self) -> web.StreamResponse:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        return web.Response(text=self.name)

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: first\n\n")
        await self.gate.wait()
        await response.write(b"data: [DONE]\n\n")
        return response


async def _socket(request: web.BaseRequest) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"echo {message.data}")
    return socket


def _client_name(request: web.BaseRequest) -> str:
    """The common name in the client's certificate; nothing without one."""
    certificate = request.transport.get_extra_info("peercert") if request.transport else None
    names = [value for row in (certificate or {}).get("subject", ()) for key, value in row if key == "commonName"]
    return names[0] if names else ""


async def serve_http(
    name: str, stack: contextlib.AsyncExitStack, tls: ssl.SSLContext | None = None, port: int = 0
) -> Server:
    server = Server(name)
    runner = web.ServerRunner(web.Server(server), shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    server.port = runner.addresses[0][1]
    return server


async def serve_grpc(stack: contextlib.AsyncExitStack, tls: Issued | None = None) -> int:
    """Echoes bytes and ends with a trailer; answers grpc.health.v1. The port."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handlers = {
        "Say": grpc.unary_unary_rpc_method_handler(_say),
        "Chat": grpc.stream_stream_rpc_method_handler(_chat),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    checks = health.aio.HealthServicer()
    await checks.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    if tls is None:
        port: int = server.add_insecure_port("127.0.0.1:0")
    else:
        credentials = grpc.ssl_server_credentials([(tls.key_pem, tls.cert_pem)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    stack.push_async_callback(server.stop, None)
    return port


async def _say(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    context.set_trailing_metadata((("x-said", str(len(request))),))
    return request


async def _chat(requests: AsyncIterator[bytes], _context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


def server_tls(authority: Authority, now_ms: int, clients: Authority | None = None) -> ssl.SSLContext:
    """For 127.0.0.1 and localhost; with `clients` every client has to show a certificate of that CA."""
    issued = issue_server(authority, hosts=[], now_ms=now_ms)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory() as directory:
        cert, key = Path(directory, "cert.pem"), Path(directory, "key.pem")
        cert.write_bytes(issued.cert_pem)
        key.write_bytes(issued.key_pem)
        context.load_cert_chain(cert, key)
    if clients is not None:
        context.load_verify_locations(cadata=clients.issued.cert_pem.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context
