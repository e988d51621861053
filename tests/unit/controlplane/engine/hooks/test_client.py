"""Hooks over real HTTP on loopback: answers, silence, redirects, nobody there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from controlplane.engine.hooks.calls import HookCall, HookReply
from controlplane.engine.hooks.client import REPLY_BYTES_MAX, HookClient
from tests.ports import free_port


async def answer(request: web.Request) -> web.Response:
    if request.path == "/away":
        raise web.HTTPFound("/")
    if request.path == "/long":
        return web.Response(status=500, text="x" * 1_000_000)
    key = request.headers["idempotency-key"]
    return web.Response(status=409, text=f"{request.method} {key} {await request.text()}")


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def call(url: str, timeout_s: float = 10.0, **headers: str) -> HookReply:
    return await HookClient().call(HookCall(url, b"{}", timeout_s, {"idempotency-key": "k/1", **headers}))


def test_the_body_and_the_key_arrive_and_the_answer_comes_back_in_part() -> None:
    async def run() -> None:
        async with served() as url:
            assert await call(f"{url}/gate") == HookReply(409, "POST k/1 {}")
            long = await call(f"{url}/long")
            assert (long.status, len(long.text) <= REPLY_BYTES_MAX) == (500, True)
            assert (await call(f"{url}/away")).status == 302
            assert await call(url, authorization="a\r\nb: c") == HookReply(0, "ValueError"), "nothing is repeated"

    asyncio.run(run())


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def test_silence_ends_at_the_timeout_and_nobody_there_is_told() -> None:
    async def run() -> None:
        async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            assert await call(f"http://127.0.0.1:{port}/", 0.05) == HookReply(0, "none within 0.05 s")
        gone = await call(f"http://127.0.0.1:{free_port()}/")
        assert gone.status == 0
        assert gone.text.startswith("cannot connect")

    asyncio.run(run())
