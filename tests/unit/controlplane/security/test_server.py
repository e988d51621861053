"""Mutual TLS over real sockets: only a client with a certificate of our CA reaches a handler."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from controlplane.cli.certs import app
from controlplane.security.client import channel_credentials
from controlplane.security.server import Certificates, server_credentials
from controlplane.settings import TlsFiles

METHOD = "/serinus.test/Echo"
Credentials = Callable[[], grpc.ChannelCredentials | None]


class Echo(grpc.GenericRpcHandler):
    """Answers with the peer's SAN and the request."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def answer(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            names = context.auth_context().get("x509_subject_alternative_name", [])
            return b" ".join([*(name for name in names if name.startswith(b"spiffe:")), request])

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certs")
    app(["init", "--dir", str(directory / "ours")], standalone_mode=False)
    app(["init", "--dir", str(directory / "others")], standalone_mode=False)
    return directory


def party(directory: Path) -> TlsFiles:
    return TlsFiles(directory / "ca.pem", directory / "cert.pem", directory / "key.pem")


def call(certs: Path, credentials: grpc.ChannelCredentials | None, *, host: str = "localhost") -> bytes:
    """One call to a server with our certificate. None: a plain-text client."""

    async def scenario() -> bytes:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((Echo(),))
        port = server.add_secure_port("127.0.0.1:0", server_credentials(party(certs / "ours/controlplane")))
        await server.start()
        target = f"{host}:{port}"
        channel = grpc.aio.secure_channel(target, credentials) if credentials else grpc.aio.insecure_channel(target)
        try:
            async with channel:
                return bytes(await channel.unary_unary(METHOD)(b"hello", timeout=5))
        finally:
            await server.stop(0)

    return asyncio.run(scenario())


@pytest.mark.parametrize("role", ["envoy", "sidecar", "operator"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_each_issued_client_gets_through_and_is_known_by_its_role(certs: Path, role: str, host: str) -> None:
    credentials = channel_credentials(party(certs / "ours" / role))
    assert call(certs, credentials, host=host) == f"spiffe://serinus/{role} hello".encode()


def test_a_client_without_a_certificate_is_turned_away(certs: Path) -> None:
    credentials = grpc.ssl_channel_credentials((certs / "ours/envoy/ca.pem").read_bytes())
    assert_unavailable(certs, credentials)


def test_a_client_of_another_ca_is_turned_away(certs: Path) -> None:
    others = certs / "others/envoy"
    mixed = TlsFiles(certs / "ours/envoy/ca.pem", others / "cert.pem", others / "key.pem")
    assert_unavailable(certs, channel_credentials(mixed))


def test_a_plain_text_client_is_turned_away(certs: Path) -> None:
    assert_unavailable(certs, None)


def test_a_client_does_not_talk_to_a_server_of_another_ca(certs: Path) -> None:
    ours = certs / "ours/envoy"
    mixed = TlsFiles(certs / "others/envoy/ca.pem", ours / "cert.pem", ours / "key.pem")
    assert_unavailable(certs, channel_credentials(mixed))


def test_files_that_have_become_no_good_leave_the_ones_before_in_force_until_they_are_mended(tmp_path: Path) -> None:
    make = ["init", "--dir", str(tmp_path)]
    app(make, standalone_mode=False)
    certificates = Certificates(party(tmp_path / "controlplane"))
    assert certificates.renewed() is None
    (tmp_path / "controlplane/key.pem").write_text("half a key")
    assert certificates.renewed() is None
    (tmp_path / "controlplane/cert.pem").unlink()
    assert certificates.renewed() is None
    app([*make, "--force"], standalone_mode=False)
    assert certificates.renewed() is not None
    assert certificates.renewed() is None


def assert_unavailable(certs: Path, credentials: grpc.ChannelCredentials | None) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        call(certs, credentials)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
