"""Nothing of a body changes on its way through Envoy and before the sidecar's eyes, and each is called what it is:
nasty ones, gRPC calls by their status, and a sample of the rest.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import aiohttp
import grpc
import pytest

from controlplane.manifest.schema import ServiceSpec
from controlplane.snapshot.model import ServiceRoute
from extproc.accesslog.entry import Entry, outcome_of
from serinus.contract.outcome import OutcomeClass as O
from tests.e2e.nasty_bodies import CASES, serve
from tests.e2e.path_world import World, world
from tests.waiting import until

pytestmark = pytest.mark.e2e

METHOD = "/inference.GRPCInferenceService/ModelInfer"
STATUSES = {
    grpc.StatusCode.OK: O.OK,
    grpc.StatusCode.INTERNAL: O.SERVER_ERROR,
    grpc.StatusCode.RESOURCE_EXHAUSTED: O.OVERLOADED,
    grpc.StatusCode.INVALID_ARGUMENT: O.CLIENT_ERROR,
    grpc.StatusCode.CANCELLED: O.CLIENT_ABORTED,
}
SAMPLED = 40


@dataclass(frozen=True)
class Got:
    """`digest` of the body as it came, undecoded; `is_whole`: it ended by its own end."""

    status: int
    digest: str
    size: int
    is_whole: bool
    coding: str
    request_id: str = ""


async def fetch(client: aiohttp.ClientSession, port: int, path: str, host: str, *, leave: bool = False) -> Got:
    """`leave`: after the first bytes."""
    digest, size, is_whole = hashlib.sha256(), 0, True
    async with client.post(
        f"http://127.0.0.1:{port}{path}", data=b"{}", headers={"host": host, "x-user-id": "u"}
    ) as reply:
        try:
            async for piece in reply.content.iter_any():
                digest.update(piece)
                size += len(piece)
                if leave:
                    reply.close()
                    break
        except aiohttp.ClientPayloadError:
            is_whole = False
        coding, request_id = reply.headers.get("content-encoding", ""), reply.headers.get("x-request-id", "")
        return Got(reply.status, digest.hexdigest(), size, is_whole, coding, request_id)


def route(name: str, port: int, observe: Mapping[str, object], **version: object) -> ServiceRoute:
    spec = {
        "protocol": "kserve-v2" if version else "openai",
        "hosts": [f"{name}.test"],
        "sticky": {"header": "x-user-id"},
        "versions": [{"name": "v1", "endpoints": [f"127.0.0.1:{port}"], **version}],
        "baseline": "v1",
        "observe": observe,
    }
    return ServiceRoute(name, ServiceSpec.model_validate(spec), baseline="v1", salt="r1")


async def serve_grpc(stack: contextlib.AsyncExitStack) -> int:
    """A call ends with the status that its message names."""

    async def infer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        if request != b"OK":
            await context.abort(grpc.StatusCode[request.decode()], "as asked")
        return b""

    name, method = METHOD[1:].split("/")
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(infer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stack.push_async_callback(server.stop, None)
    return port


async def called(here: World, status: grpc.StatusCode) -> grpc.StatusCode:
    address = f"127.0.0.1:{here.gateway.listen_port}"
    async with grpc.aio.insecure_channel(address, options=[("grpc.default_authority", "infer.test")]) as channel:
        call = channel.unary_unary(METHOD)(status.name.encode(), metadata=(("x-user-id", "u"),), timeout=10)
        code: grpc.StatusCode = await call.code()
        return code


def entries_of(here: World, service: str) -> dict[str, Entry]:
    found = (entry for entry in here.sidecar.seen.entries if isinstance(entry, Entry) and not entry.is_running)
    return {entry.request_id: entry for entry in found if entry.service == service}


def test_not_a_byte_changes_and_each_outcome_is_called_what_it_is() -> None:
    async def story() -> None:
        async with contextlib.AsyncExitStack() as stack:
            here = await stack.enter_async_context(world(workers=1))
            port, slow, grpc_port = await serve(stack), await serve(stack, pause_s=0.05), await serve_grpc(stack)
            client = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
            routes = [
                route("chat", port, {"body": True}),
                route("slow", slow, {"body": True}),
                route("some", port, {"body": True, "sample": "50%"}),
                route("infer", grpc_port, {}, connection={"protocol": "http/2"}),
            ]
            await here.publish(*routes)
            await here.until_tagging()
            await _bodies_are_equal_and_classed(here, client, port)
            await _who_leaves_has_aborted(here, client)
            await _calls_are_classed_by_their_status(here)
            await _a_sample_is_marked_and_observed(here, client)

    asyncio.run(asyncio.wait_for(story(), 90))


async def _bodies_are_equal_and_classed(here: World, client: aiohttp.ClientSession, port: int) -> None:
    seen, gateway, ids = here.sidecar.seen, here.gateway.listen_port, {}
    for number, case in enumerate(CASES):
        direct = await fetch(client, port, f"/{number}", "chat.test")
        proxied = await fetch(client, gateway, f"/{number}", "chat.test")
        assert replace(proxied, request_id="") == replace(direct, request_id=""), case.name
        assert (direct.size, direct.is_whole) == (len(case.body), not case.is_cut), case.name
        ids[proxied.request_id] = case
    await until(lambda: len(entries_of(here, "chat")) == len(CASES), "every request is logged")
    looked_at = {request_id for request_id, case in ids.items() if case.status in (200, 400)}
    await until(lambda: looked_at <= seen.observations.keys(), "every body is observed")
    found = {
        ids[name].name: outcome_of(entry, seen.observations.get(name)).outcome_class
        for name, entry in entries_of(here, "chat").items()
    }
    assert found == {case.name: case.expected for case in CASES}


async def _who_leaves_has_aborted(here: World, client: aiohttp.ClientSession) -> None:
    await fetch(client, here.gateway.listen_port, "/0", "slow.test", leave=True)
    await until(lambda: bool(entries_of(here, "slow")), "the request is logged")
    ((name, entry),) = entries_of(here, "slow").items()
    await until(lambda: name in here.sidecar.seen.observations, "what came of the body is observed")
    assert outcome_of(entry, here.sidecar.seen.observations[name]).outcome_class is O.CLIENT_ABORTED


async def _calls_are_classed_by_their_status(here: World) -> None:
    assert [await called(here, status) for status in STATUSES] == [*STATUSES]
    await until(lambda: len(entries_of(here, "infer")) == len(STATUSES), "every call is logged")
    entries = sorted(entries_of(here, "infer").values(), key=lambda entry: entry.start_us)
    assert {entry.ending.code for entry in entries} == {200}
    assert [outcome_of(entry, None).outcome_class for entry in entries] == [*STATUSES.values()]


async def _a_sample_is_marked_and_observed(here: World, client: aiohttp.ClientSession) -> None:
    for _ in range(SAMPLED):
        await fetch(client, here.gateway.listen_port, "/1", "some.test")
    await until(lambda: len(entries_of(here, "some")) == SAMPLED, "every request is logged")
    entries = entries_of(here, "some")
    picked = {name for name, entry in entries.items() if entry.is_sampled}
    assert 0 < len(picked) < SAMPLED
    await until(lambda: picked <= here.sidecar.seen.observations.keys(), "what was picked is observed")
    assert not (entries.keys() - picked) & here.sidecar.seen.observations.keys()
