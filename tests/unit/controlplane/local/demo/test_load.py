"""The demo's users against servers on real sockets: every answer is recorded, with why it was none."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.test_utils import TestServer

from controlplane.local.demo.load import UPSTREAM_ANSWERED, USER_HEADER, Load, LoadPlan
from controlplane.local.demo.simserver import SimServer, SimSettings
from controlplane.local.demo.tally import Sent

FAST = SimSettings(first_token_ms=0.0, token_ms=0.0)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def run(app: web.Application, plan: LoadPlan, seconds: float) -> Load:
    async def go() -> Load:
        async with TestServer(app) as server:
            async with Load(f"{server.host}:{server.port}", plan) as load:
                await asyncio.sleep(seconds)
            return load

    return asyncio.run(go())


def gateway(handler: Handler) -> web.Application:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", handler)
    return app


def first(handler: Handler) -> Sent:
    return run(gateway(handler), LoadPlan(clients=1), 0.1).requests[0]


def test_a_closed_loop_asks_again_once_answered() -> None:
    load = run(SimServer(FAST).application(), LoadPlan(clients=2, users=10), 0.5)
    assert len(load.requests) > 10
    assert load.failed == 0
    assert {sent.finish_reason for sent in load.requests} == {"stop"}
    assert {sent.user for sent in load.requests} <= set(range(10))
    assert all(sent.ttft_ms is not None and sent.ttft_ms <= sent.duration_ms for sent in load.requests)


def test_an_open_loop_keeps_its_rate_and_ends_with_nothing_under_way() -> None:
    load = run(SimServer(FAST).application(), LoadPlan(clients=50, rate_per_s=40.0), 1.0)
    assert 25 <= len(load.requests) <= 45
    assert load.not_sent == 0


def test_an_open_loop_counts_what_it_could_not_send() -> None:
    slow = SimSettings(first_token_ms=400.0)
    load = run(SimServer(slow).application(), LoadPlan(clients=1, rate_per_s=50.0), 0.5)
    assert load.not_sent > 5
    assert len(load.requests) <= 3


def test_an_open_loop_that_stood_still_does_not_make_up_for_it_in_a_burst() -> None:
    async def go() -> Load:
        async with TestServer(SimServer(FAST).application()) as server:
            async with Load(f"{server.host}:{server.port}", LoadPlan(clients=100, rate_per_s=100.0)) as load:
                await asyncio.sleep(0.1)
                asyncio.get_running_loop().call_soon(time.sleep, 0.6)  # the whole process stands still
                await asyncio.sleep(0.7)
            return load

    load = asyncio.run(go())
    assert load.not_sent >= 40
    assert len(load.requests) <= 40


def test_the_same_seed_asks_for_the_same_users() -> None:
    plan = LoadPlan(clients=1, users=1000, seed=7)
    users = [[sent.user for sent in run(SimServer(FAST).application(), plan, 0.2).requests[:5]] for _ in range(2)]
    assert users[0] == users[1]


def test_each_request_names_its_user_and_the_answers_version_is_kept() -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        user = request.headers[USER_HEADER]
        return web.Response(status=503, headers={"x-serinus-version": user, "x-serinus-request-id": "abc"})

    sent = first(echo)
    assert (sent.version, sent.request_id) == (f"user-{sent.user}", "abc")
    assert (sent.status, sent.failure, sent.is_models_own) == (503, "HTTP 503", False)


def test_an_error_that_passed_through_the_gateway_is_the_models_own() -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500, headers={UPSTREAM_ANSWERED: "3"})

    assert (first(refuse).failure, first(refuse).is_models_own) == ("HTTP 500", True)


def test_a_stream_that_breaks_off_is_a_failure_after_status_200() -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={UPSTREAM_ANSWERED: "3"})
        await response.prepare(request)
        await response.write(b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n')
        assert request.transport is not None
        request.transport.close()
        return response

    sent = first(breaks)
    assert sent.status == 200
    assert sent.failure.startswith("stream broke off")
    assert not sent.is_models_own, "who cut it cannot be told from here"


def test_an_error_frame_inside_the_stream_is_the_models_own() -> None:
    async def fails(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b'data: {"error":{"type":"server_error","code":500}}\n\n')

    sent = first(fails)
    assert (sent.failure, sent.is_models_own) == ("error inside the stream: server_error 500", True)


def test_nobody_listening_is_a_failure_without_status() -> None:
    async def go() -> list[Sent]:
        async with Load("127.0.0.1:1", LoadPlan(clients=1)) as load:
            await asyncio.sleep(0.15)
        return load.requests

    requests = asyncio.run(go())
    assert requests[0].status == 0
    assert requests[0].failure.startswith("no answer")
    assert len(requests) < 10, "it does not spin"
