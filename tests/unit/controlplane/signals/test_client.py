"""Scrapes of a real HTTP server: what is whole and in bounds is text, all else is nothing."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from controlplane.signals.client import BYTES_MAX, ScrapeClient

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def _good(request: web.Request) -> web.StreamResponse:
    return web.Response(text="tgi_queue_size 1\n")


async def _large(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"x" * (BYTES_MAX + 1))


async def _absent(request: web.Request) -> web.StreamResponse:
    return web.Response(status=503, text="tgi_queue_size 1\n")


async def _elsewhere(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/good")


async def _hangs(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def _breaks_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-length": "100"})
    await response.prepare(request)
    await response.write(b"tgi_queue_size 1\n")
    assert request.transport is not None
    request.transport.close()
    return response


async def scraped() -> dict[str, str | None]:
    app = web.Application()
    handlers: dict[str, Handler] = {
        "good": _good,
        "large": _large,
        "absent": _absent,
        "elsewhere": _elsewhere,
        "hangs": _hangs,
        "breaks_off": _breaks_off,
    }
    for name, handler in handlers.items():
        app.router.add_get(f"/{name}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        async with ScrapeClient(timeout_s=0.5) as client:
            found = {name: await client.text(f"http://{host}:{port}/{name}") for name in handlers}
            found["nobody"] = await client.text("http://127.0.0.1:1/metrics")
            return found
    finally:
        await runner.cleanup()


def test_one_whole_answer_within_the_bounds_is_text_and_all_else_is_nothing() -> None:
    found = asyncio.run(scraped())
    assert found.pop("good") == "tgi_queue_size 1\n"
    assert found == dict.fromkeys(found)
    assert len(found) == 6


@pytest.mark.parametrize("url", ["http://[::1", "http:///metrics", "ftp://127.0.0.1/"])
def test_a_url_that_is_none_is_nothing(url: str) -> None:
    async def ask() -> str | None:
        async with ScrapeClient() as client:
            return await client.text(url)

    assert asyncio.run(ask()) is None
