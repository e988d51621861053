"""The whole sidecar in one process: a real socket, a real control plane's stream, an Envoy played by the test."""

import asyncio
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from controlplane.security.ca import issue_client, issue_server, make_authority
from extproc.app import Sidecar
from extproc.clock import SystemClock, SystemPrng
from extproc.settings import TRANSPORTS, Address, Settings, TlsFiles
from extproc.transport import port
from serinus.envoywire import ext_proc_pb2
from tests.ports import free_port
from tests.unit.extproc.controlplane import control_plane, eventually, policy
from tests.unit.extproc.messages import log_entry, log_message, request_headers
from tests.unit.extproc.telemetry.test_exporter import fetch

pytestmark = pytest.mark.parametrize("transport", TRANSPORTS)


def settings(run_dir: Path, controlplane: int, http: int, transport: str) -> Settings:
    return Settings(
        socket=run_dir / "e.sock",
        tcp=None,
        tcp_tls="off",
        run_dir=run_dir,
        policy_dir=run_dir / "policy",
        controlplane=Address("127.0.0.1", controlplane),
        http=Address("127.0.0.1", http),
        envoy_admin=Address("127.0.0.1", 9),  # nobody: the counters are absent, everything else goes on
        node_id="envoy-1",
        node_cluster="serinus",
        transport=transport,
        follow_up_ms=10_000,
        tls=None,
    )


async def tag(socket: Path) -> ext_proc_pb2.ProcessingResponse:
    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        return await ask(channel)


async def ask(channel: grpc.aio.Channel) -> ext_proc_pb2.ProcessingResponse:
    call = channel.stream_stream(port.PROCESS_METHOD)()
    await call.write(request_headers(x_user_id="u1"))
    return ext_proc_pb2.ProcessingResponse.FromString(await call.read())


def test_from_a_tag_to_a_reported_row_and_a_drain_that_leaves_nothing(tmp_path: Path, transport: str) -> None:
    async def story() -> None:
        http, stop = free_port(), asyncio.Event()
        async with control_plane(policy()) as plane:
            running = asyncio.create_task(
                Sidecar(settings(tmp_path, plane.port, http, transport), SystemClock(), SystemPrng()).run(stop)
            )
            await eventually(lambda: plane.policy_acks == [("p1", "")])
            assert await fetch(http, "/readyz") == (200, "ok\n")
            answer = await tag(tmp_path / "e.sock")
            assert answer.request_headers.response.clear_route_cache
            now_us = SystemClock().now_ms() * 1_000
            async with grpc.aio.insecure_channel(f"unix:{tmp_path / 'e.sock'}") as channel:
                logs = channel.stream_stream(port.ACCESS_LOGS_METHOD)()
                await logs.write(log_message(log_entry(start_us=now_us), log_entry(start_us=now_us, code=500)))
                await eventually(lambda: any(batch.rows for batch in plane.batches))
                await logs.write(log_message(log_entry(start_us=now_us)))
                stop.set()
                await running
            rows = [row for batch in plane.batches for row in batch.rows]
            assert sum(row.requests for row in rows) == 3
            assert sum(count.bad for row in rows for count in row.metrics) == 1
            assert {row.slot for row in rows} == {now_us // 1_000_000}
            assert [batch.seq for batch in plane.batches] == list(range(1, len(plane.batches) + 1))
            assert not plane.batches[-1].HasField("proxy")

    asyncio.run(asyncio.wait_for(story(), 30))


def test_a_restarted_sidecar_tags_at_once_while_the_control_plane_is_away(tmp_path: Path, transport: str) -> None:
    async def story() -> None:
        async with control_plane(policy()) as plane:
            stop = asyncio.Event()
            running = asyncio.create_task(
                Sidecar(settings(tmp_path, plane.port, free_port(), transport), SystemClock(), SystemPrng()).run(stop)
            )
            await eventually(lambda: plane.policy_acks == [("p1", "")])
            stop.set()
            await running
        http, stop = free_port(), asyncio.Event()
        running = asyncio.create_task(
            Sidecar(settings(tmp_path, 9, http, transport), SystemClock(), SystemPrng()).run(stop)
        )
        await asyncio.sleep(0.1)
        assert (await tag(tmp_path / "e.sock")).request_headers.response.clear_route_cache
        assert await fetch(http, "/readyz") == (200, "ok\n")
        stop.set()
        await running

    asyncio.run(asyncio.wait_for(story(), 30))


def test_an_envoy_elsewhere_is_served_over_mutual_tls_beside_the_socket(tmp_path: Path, transport: str) -> None:
    if transport != "own":
        return  # `--tcp` is refused with it: tests of the settings
    now_ms = SystemClock().now_ms()
    authority = make_authority(now_ms=now_ms, days=1)
    server = issue_server(authority, hosts=["127.0.0.1"], now_ms=now_ms)
    envoy = issue_client(authority, "envoy-1", now_ms=now_ms)
    files = TlsFiles(*(tmp_path / name for name in ("ca", "cert", "key")))
    for path, pem in (
        (files.ca, authority.issued.cert_pem),
        (files.cert, server.cert_pem),
        (files.key, server.key_pem),
    ):
        path.write_bytes(pem)

    async def story() -> None:
        stop, tcp = asyncio.Event(), Address("127.0.0.1", free_port())
        told = replace(settings(tmp_path, 9, free_port(), transport), tcp=tcp, tcp_tls="mutual", tls=files)
        running = asyncio.create_task(Sidecar(told, SystemClock(), SystemPrng()).run(stop))
        await asyncio.sleep(0.1)
        ours = grpc.ssl_channel_credentials(authority.issued.cert_pem, envoy.key_pem, envoy.cert_pem)
        strangers = grpc.ssl_channel_credentials(authority.issued.cert_pem)
        async with grpc.aio.secure_channel(str(tcp), ours) as channel:
            assert (await ask(channel)).HasField("request_headers")
        async with grpc.aio.secure_channel(str(tcp), strangers) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await ask(channel)
        assert (await tag(tmp_path / "e.sock")).HasField("request_headers")
        stop.set()
        await running

    asyncio.run(asyncio.wait_for(story(), 30))


def test_without_any_policy_it_serves_but_is_not_ready(tmp_path: Path, transport: str) -> None:
    async def story() -> None:
        http, stop = free_port(), asyncio.Event()
        running = asyncio.create_task(
            Sidecar(settings(tmp_path, 9, http, transport), SystemClock(), SystemPrng()).run(stop)
        )
        await asyncio.sleep(0.1)
        answer = await tag(tmp_path / "e.sock")
        assert not answer.request_headers.response.clear_route_cache
        status, text = await fetch(http, "/readyz")
        assert (status, "no cohort policy" in text) == (503, True)
        stop.set()
        await running

    asyncio.run(asyncio.wait_for(story(), 30))
