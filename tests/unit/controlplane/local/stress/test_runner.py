"""A stress test of two servers on real sockets: both are asked, once a request, and nobody else."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controlplane.local.demo.load import PATH
from controlplane.local.demo.simserver import SimServer, SimSettings
from controlplane.local.stress.ask import StressAsk
from controlplane.local.stress.report import StressReport
from controlplane.local.stress.runner import stress

FAST = SimSettings(first_token_ms=0.0, token_ms=0.0, tokens=4)


async def _busy(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=429)


@pytest.mark.parametrize("streams", [True, False])
def test_servers_are_asked_in_turn_and_each_answer_is_read_to_its_end(streams: bool) -> None:
    async def go() -> StressReport:
        busy = web.Application()
        busy.router.add_post(PATH, _busy)
        async with TestServer(SimServer(FAST).application()) as good, TestServer(busy) as other:
            urls = tuple(f"http://{server.host}:{server.port}{PATH}" for server in (good, other))
            return await stress(StressAsk(urls, 20.0, 1.0, 64, 30.0, streams, "chat", 16))

    report = asyncio.run(go())
    assert report.due >= 10
    assert abs(report.ok - report.due / 2) <= 1
    assert dict(report.classes) == {"overloaded": report.due - report.ok}
    assert (report.ttft_ms is not None) is streams
    assert report.tokens_per_second == pytest.approx(4 * report.ok / report.seconds)
