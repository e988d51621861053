"""The door of the real admin port: every method that it offers, tried by everybody."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from controlplane.cli.certs import app as certs_app
from controlplane.security.access import mint, render
from controlplane.security.client import channel_credentials, server_only_credentials
from controlplane.security.roles import ROLE_BY_METHOD, Role
from controlplane.settings import TlsFiles
from serinus.v1 import admin_pb2, admin_pb2_grpc
from tests.e2e.plane import plane, settings
from tests.unit.controlplane.manifest.samples import BOTH

SERVICES: tuple[ServiceDescriptor, ...] = (
    admin_pb2.DESCRIPTOR.services_by_name["Admin"],
    health_pb2.DESCRIPTOR.services_by_name["Health"],
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
)
OFFERED = {f"/{service.full_name}/{method.name}": method for service in SERVICES for method in service.methods}
REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
TOKENS = {
    role.word: mint(f"the-{role.word}", role.word, secret=bytes([role]) * 32, expires_s=1 << 33)
    for role in Role
    if role is not Role.ANYONE
}


def party(directory: Path) -> TlsFiles:
    return TlsFiles(directory / "ca.pem", directory / "cert.pem", directory / "key.pem")


def bearer(role: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {TOKENS[role][0]}")]


async def code_of(channel: grpc.aio.Channel, path: str, method: MethodDescriptor, metadata: Any) -> grpc.StatusCode:
    """How an empty request ends; OK for one that goes on and answers."""
    try:
        if method.client_streaming:
            stream = channel.stream_stream(path)(metadata=metadata, timeout=5)
            await stream.write(b"")
            await stream.done_writing()
            await stream.read()
            return grpc.StatusCode.OK if not stream.done() else await stream.code()
        if method.server_streaming:
            stream = channel.unary_stream(path)(b"", metadata=metadata, timeout=5)
            await stream.read()
            stream.cancel()
            return grpc.StatusCode.OK
        await channel.unary_unary(path)(b"", metadata=metadata, timeout=5)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_the_table_has_every_method_that_the_port_offers_and_no_other() -> None:
    assert set(ROLE_BY_METHOD) == set(OFFERED), "next: add it to ROLE_BY_METHOD, with the role it needs"


def test_every_method_tried_by_everybody_is_refused_or_let_through_as_the_table_says(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(render(token for _, token in TOKENS.values()))
    file.chmod(0o600)

    async def scenario() -> dict[tuple[str, str], grpc.StatusCode]:
        found = {}
        async with (
            plane(settings(tmp_path / "state", tokens=file)) as world,
            grpc.aio.insecure_channel(world.config.admin) as channel,
        ):
            for path, method in OFFERED.items():
                for who in ("anyone", *TOKENS):
                    metadata = bearer(who) if who in TOKENS else None
                    found[path, who] = await code_of(channel, path, method, metadata)
                wrong = [("authorization", "Bearer srn_the-admin_guess")]
                found[path, "a guess"] = await code_of(channel, path, method, wrong)
        return found

    found = asyncio.run(scenario())
    for (path, who), code in found.items():
        if who == "a guess":
            assert code is grpc.StatusCode.UNAUTHENTICATED, path
        elif Role[who.upper()] >= ROLE_BY_METHOD[path]:
            assert code not in REFUSALS, (path, who)
        else:
            assert code is REFUSALS[who != "anyone"], (path, who)


def test_certificates_tell_the_role_and_renewed_ones_count_without_a_restart(tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    make = ["init", "--dir", str(certs)]
    certs_app(make, standalone_mode=False)
    get, pause = (f"/serinus.v1.Admin/{name}" for name in ("Get", "Pause"))

    async def codes() -> dict[str, list[str]]:
        found = {}
        for who in ("envoy", "sidecar", "viewer", "operator", "admin"):
            credentials = channel_credentials(party(certs / who))
            async with grpc.aio.secure_channel(address, credentials) as channel:
                found[who] = [(await code_of(channel, path, OFFERED[path], None)).name for path in (get, pause)]
        return found

    async def scenario() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        async with plane(settings(tmp_path / "state", tls=party(certs / "controlplane"))) as world:
            nonlocal address
            address = world.config.admin
            before = await codes()
            certs_app([*make, "--force"], standalone_mode=False)
            return before, await codes()

    address = ""
    before, after = asyncio.run(scenario())
    denied, none = "PERMISSION_DENIED", "NOT_FOUND"
    expected = {"envoy": [denied] * 2, "sidecar": [denied] * 2, "viewer": ["OK", denied]}
    assert before == after == expected | {"operator": ["OK", none], "admin": ["OK", none]}


def test_a_stream_ends_when_its_token_is_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(render(token for _, token in TOKENS.values()))
    file.chmod(0o600)

    async def scenario() -> tuple[grpc.StatusCode, str]:
        async with (
            plane(settings(tmp_path / "state", tokens=file)) as world,
            grpc.aio.insecure_channel(world.config.admin) as channel,
        ):
            stub = admin_pb2_grpc.AdminStub(channel)
            files = [admin_pb2.ManifestFile(name="m.yaml", text=BOTH)]
            await stub.Apply(admin_pb2.ApplyRequest(files=files), metadata=bearer("admin"), timeout=10)
            watched = stub.Watch(admin_pb2.WatchRequest(rollout="chat-v2"), metadata=bearer("viewer"), timeout=30)
            await watched.read()
            await watched.read()
            file.write_text(render(token for name, (_, token) in TOKENS.items() if name != "viewer"))
            with contextlib.suppress(grpc.aio.AioRpcError):
                while await watched.read() is not grpc.aio.EOF:
                    pass
            return await watched.code(), await watched.details()

    code, said = asyncio.run(scenario())
    assert (code, said.split(";")[0]) == (grpc.StatusCode.UNAUTHENTICATED, "the token is not known here")


@pytest.mark.parametrize("has_token", [True, False])
def test_with_admin_tls_server_a_token_alone_tells_who_calls(tmp_path: Path, has_token: bool) -> None:
    certs_app(["init", "--dir", str(tmp_path / "certs")], standalone_mode=False)
    file = tmp_path / "tokens"
    file.write_text(render(token for _, token in TOKENS.values()))
    file.chmod(0o600)
    more = {"tls": party(tmp_path / "certs/controlplane"), "tokens": file, "admin_asks_certificate": False}

    async def scenario() -> grpc.StatusCode:
        credentials = server_only_credentials(tmp_path / "certs/trust/ca.pem")
        async with (
            plane(settings(tmp_path / "state", **more)) as world,
            grpc.aio.secure_channel(world.config.admin, credentials) as channel,
        ):
            path = "/serinus.v1.Admin/Get"
            return await code_of(channel, path, OFFERED[path], bearer("viewer") if has_token else None)

    assert asyncio.run(scenario()) is (grpc.StatusCode.OK if has_token else grpc.StatusCode.UNAUTHENTICATED)


def test_bytes_that_are_no_message_are_an_invalid_argument_with_a_next_step_on_every_method(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            plane(settings(tmp_path)) as world,
            grpc.aio.insecure_channel(world.config.admin) as channel,
        ):
            for path in OFFERED:
                call = channel.stream_stream(path)(timeout=5)
                await call.write(b"\xff\xff\xff")
                await call.done_writing()
                with pytest.raises(grpc.aio.AioRpcError, match=r"; next: use the \.proto files") as error:
                    await call.read()
                assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    asyncio.run(scenario())


def test_however_long_a_fault_is_its_words_reach_the_caller_within_bounds(tmp_path: Path) -> None:
    async def scenario() -> str:
        async with plane(settings(tmp_path)) as world:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await world.call("Pause", admin_pb2.OperatorRequest(rollout="\u00e9" * 50_000))
            assert error.value.code() is grpc.StatusCode.NOT_FOUND
            return error.value.details() or ""

    said = asyncio.run(scenario())
    assert 1_000 < len(said) < 2_100
    assert said.endswith("… (cut; next: correct these first)")
