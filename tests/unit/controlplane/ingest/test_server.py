"""The data plane's port with certificates: who says that it is a node has to show that node's certificate."""

import asyncio
from pathlib import Path

import grpc
import pytest

from controlplane.cli.certs import app as certs_app
from controlplane.security.client import channel_credentials
from controlplane.settings import TlsFiles
from controlplane.xds.server import METHODS, SERVICE
from serinus.envoywire import discovery_pb2
from serinus.v1 import outcomes_pb2, outcomes_pb2_grpc
from tests.e2e.plane import Plane, plane, settings

DENIED = grpc.StatusCode.PERMISSION_DENIED


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certs")
    certs_app(["init", "--dir", str(directory)], standalone_mode=False)
    for role in ("envoy", "sidecar"):
        certs_app(["issue", role, "edge-1", "--dir", str(directory)], standalone_mode=False)
    return directory


def party(directory: Path) -> TlsFiles:
    return TlsFiles(directory / "ca.pem", directory / "cert.pem", directory / "key.pem")


async def envoy_gets(world: Plane, channel: grpc.aio.Channel, method: str, node: str) -> grpc.StatusCode | None:
    """How its stream ends; None: it is let in."""
    call = channel.stream_stream(f"/{SERVICE}/{method}")(timeout=10)
    request = discovery_pb2.DeltaDiscoveryRequest if "Delta" in method else discovery_pb2.DiscoveryRequest
    asked = request(type_url="type.googleapis.com/envoy.config.cluster.v3.Cluster")
    asked.node.id, asked.node.cluster = node, "default"
    await call.write(asked.SerializeToString())
    while not call.done():
        if node in world.control.engine.ads.fleet("default").nodes:
            call.cancel()
            return None
        await asyncio.sleep(0.01)
    return await call.code()


async def sidecar_gets(channel: grpc.aio.Channel, node: str) -> grpc.StatusCode | None:
    call = outcomes_pb2_grpc.OutcomesStub(channel).Report(timeout=10)
    hello = outcomes_pb2.Hello(sidecar=node, epoch=1, cluster="default")
    await call.write(outcomes_pb2.ReportRequest(hello=hello))
    try:
        answer = await call.read()
    except grpc.aio.AioRpcError as error:
        return error.code()
    call.cancel()
    return None if answer is not grpc.aio.EOF else await call.code()


@pytest.mark.parametrize(
    ("shown", "node", "expected"),
    [
        ("envoy", "edge-9", (None, DENIED)),
        ("sidecar", "edge-9", (DENIED, None)),
        ("envoy-edge-1", "edge-1", (None, DENIED)),
        ("sidecar-edge-1", "edge-1", (DENIED, None)),
        ("envoy-edge-1", "edge-2", (DENIED, DENIED)),
        ("sidecar-edge-1", "edge-2", (DENIED, DENIED)),
        ("operator", "edge-1", (DENIED, DENIED)),
    ],
)
def test_a_node_is_let_in_by_its_own_certificate_on_its_own_stream_alone(
    certs: Path, tmp_path: Path, shown: str, node: str, expected: tuple[object, object]
) -> None:
    as_envoy, as_sidecar = expected

    async def scenario() -> None:
        async with (
            plane(settings(tmp_path, tls=party(certs / "controlplane"))) as world,
            grpc.aio.secure_channel(world.config.xds, channel_credentials(party(certs / shown))) as channel,
        ):
            for method in METHODS:
                assert await envoy_gets(world, channel, method, node) is as_envoy
            assert await sidecar_gets(channel, node) is as_sidecar
            told = [refusal.reason for refusal in world.control.engine.ads.refusals]
            assert all("comes with a certificate of another" in reason for reason in told)
            assert len(told) == (0 if as_envoy is None else len(METHODS))

    asyncio.run(scenario())
