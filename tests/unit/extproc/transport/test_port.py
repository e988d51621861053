"""What every transport does, over a real Unix socket, asked by a real gRPC client, as Envoy asks it."""

import asyncio
import os
import stat
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from extproc.transport import port
from extproc.transport.port import SocketTakenError
from tests.unit.extproc.transport.sidecar import (
    TRANSPORTS,
    RecordingSidecar,
    client,
    eventually,
    histogram,
    run,
    serving,
)

pytestmark = pytest.mark.parametrize("kind", TRANSPORTS)


def test_one_message_in_one_out_and_the_stream_ends_with_ok(kind: str, tmp_path: Path) -> None:
    async def story(path: Path) -> None:
        async with serving(kind, path) as (_, sidecar), client(path) as channel:
            call = channel.stream_stream(port.PROCESS_METHOD)()
            await call.write(b"tag 1")
            assert await call.read() == b"re:tag 1"
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK
            await eventually(lambda: sidecar.closed == 1)

    run(kind, tmp_path, story)


def test_an_observing_stream_is_many_in_and_none_out(kind: str, tmp_path: Path) -> None:
    async def story(path: Path) -> None:
        async with serving(kind, path) as (_, sidecar), client(path) as channel:
            call = channel.stream_stream(port.PROCESS_METHOD)()
            for message in (b"a", b"b", b"end"):
                await call.write(message)
            assert await call.read() is grpc.aio.EOF
            assert await call.code() is grpc.StatusCode.OK
            assert sidecar.messages == [b"a", b"b", b"end"]

    run(kind, tmp_path, story)


def test_a_stream_that_the_peer_resets_is_closed_once(kind: str, tmp_path: Path) -> None:
    """Envoy resets every ext_proc stream at its end."""

    async def story(path: Path) -> None:
        async with serving(kind, path) as (_, sidecar), client(path) as channel:
            call = channel.stream_stream(port.PROCESS_METHOD)()
            await call.write(b"a")
            await eventually(lambda: sidecar.messages == [b"a"])
            call.cancel()
            await eventually(lambda: sidecar.closed == 1)

    run(kind, tmp_path, story)


def test_health_by_check_and_watch(kind: str, tmp_path: Path) -> None:
    async def story(path: Path) -> None:
        async with serving(kind, path) as (transport, _), client(path) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            watch = stub.Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
            drained = asyncio.create_task(transport.drain())
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            await drained

    run(kind, tmp_path, story)


def test_an_unknown_method_is_unimplemented(kind: str, tmp_path: Path) -> None:
    async def story(path: Path) -> None:
        async with serving(kind, path), client(path) as channel:
            call = channel.stream_stream("/envoy.service.ext_proc.v3.ExternalProcessor/Other")()
            assert await call.code() is grpc.StatusCode.UNIMPLEMENTED

    run(kind, tmp_path, story)


def test_only_the_owner_may_open_the_socket(kind: str, tmp_path: Path) -> None:
    async def story(path: Path) -> None:
        umask = os.umask(0)
        try:
            async with serving(kind, path):
                mode = os.stat(path).st_mode
                assert stat.S_ISSOCK(mode)
                assert stat.S_IMODE(mode) == 0o600
                assert [entry.name for entry in path.parent.iterdir()] == [path.name]
                assert os.umask(0) == 0
        finally:
            os.umask(umask)

    run(kind, tmp_path, story)


def test_a_directory_that_is_not_there_is_named(kind: str, tmp_path: Path) -> None:
    async def story(path: Path) -> None:
        transport = TRANSPORTS[kind](path / "no" / "e.sock", RecordingSidecar(), histogram())
        with pytest.raises(SocketTakenError, match="cannot bind"):
            await transport.start()

    run(kind, tmp_path, story)


async def _log_at_100_hz(path: Path, done: asyncio.Event) -> tuple[list[bytes], set[bytes]]:
    """Log as Envoy does: one long stream; when the server ends it, the next flush opens a new one.

    Returns what was sent, and of it what this client may have kept to itself: gRPC's library takes a message although the
    server's end has come in meanwhile, and drops it. Envoy looks at both in one thread, and has no such moment.
    """
    sent: list[bytes] = []
    unsure: set[bytes] = set()
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        call = None
        while not done.is_set():
            if call is None or call.done():
                unsure |= set(sent[-1:])
                call = channel.stream_stream(port.ACCESS_LOGS_METHOD)()
            message = b"entry %d" % len(sent)
            try:
                await call.write(message)
            except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
                continue  # the server has ended it since it was looked at: nothing was written
            sent.append(message)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        call.cancel() if call is not None else None
    return sent, unsure


def test_a_successor_takes_the_socket_over_without_losing_a_log_entry(kind: str, tmp_path: Path) -> None:
    async def story(path: Path) -> None:
        done = asyncio.Event()
        old_sidecar, new_sidecar = RecordingSidecar(), RecordingSidecar()
        old, new = (TRANSPORTS[kind](path, each, histogram()) for each in (old_sidecar, new_sidecar))
        await old.start()
        logging = asyncio.create_task(_log_at_100_hz(path, done))
        await eventually(lambda: len(old_sidecar.logs) > 5)
        await new.start()
        await old.drain()
        await eventually(lambda: len(new_sidecar.logs) > 5)
        done.set()
        sent, unsure = await logging
        received = old_sidecar.logs + new_sidecar.logs
        assert len(unsure) == 1, "the last of the stream that the old one ended"
        lost = [entry for entry in sent if entry not in received]
        assert received == [entry for entry in sent if entry in received]
        if kind == "grpcio":
            # gRPC's server forgets what it has of a stream and has not handed on when the stream ends: none on an idle
            # machine, a few within 40 ms on a starved one. Ours hands on all.
            assert len(lost) <= 10
        else:
            assert set(lost) <= unsure
        # The name is the successor's now: the old one, when it stopped, has not taken it away.
        async with client(path) as channel:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        await new.drain()

    run(kind, tmp_path, story)


def test_no_tag_fails_while_the_socket_changes_hands(kind: str, tmp_path: Path) -> None:
    async def story(path: Path) -> None:
        done, codes = asyncio.Event(), []

        async def ask() -> None:
            async with client(path) as channel:
                while not done.is_set():
                    call = channel.stream_stream(port.PROCESS_METHOD)()
                    try:
                        await call.write(b"tag")
                        await call.read()
                    except grpc.aio.AioRpcError:
                        pass  # its code says so
                    codes.append(await call.code())

        async with serving(kind, path) as (old, _):
            asking = asyncio.gather(*(ask() for _ in range(20)))  # as many as are under way at any instant
            await eventually(lambda: len(codes) > 5)
            async with serving(kind, path) as (_, successor):
                await old.drain()
                await eventually(lambda: len(successor.messages) > 5)
                done.set()
                await asking
        # gRPC's own server closes a connection once its last call is over: on a starved machine a call that is being opened
        # then meets a broken pipe now and then (once in a hundred hand-overs). Ours must not let that happen.
        lost = [code for code in codes if code is not grpc.StatusCode.OK]
        assert set(lost) <= {grpc.StatusCode.UNAVAILABLE}
        assert len(lost) <= (max(1, len(codes) // 100) if kind == "grpcio" else 0)

    run(kind, tmp_path, story)


def test_a_successor_keeps_the_old_one_from_saying_not_serving(kind: str, tmp_path: Path) -> None:
    """To Envoy both are one host: a word of the old one would take the new one out of service too."""

    async def story(path: Path) -> None:
        async with serving(kind, path) as (old, _), client(path) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            await watch.read()
            async with serving(kind, path):
                drained = asyncio.create_task(old.drain())
                assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
                await drained

    run(kind, tmp_path, story)


def test_a_silent_log_stream_does_not_hold_the_drain_up(kind: str, tmp_path: Path) -> None:
    async def story(path: Path) -> None:
        async with serving(kind, path) as (transport, sidecar), client(path) as channel:
            call = channel.stream_stream(port.ACCESS_LOGS_METHOD)()
            await call.write(b"once")
            await eventually(lambda: sidecar.logs == [b"once"])
            await asyncio.wait_for(transport.drain(), 5)

    run(kind, tmp_path, story)
