"""A model server that says who it is."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Upstream:
    """A model server that says who it is and remembers the headers it was sent."""

    version: str
    port: int = 0
    requests: list[Mapping[str, str]] = field(default_factory=list)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/health":
            return web.Response()
        self.requests.append({key.lower(): value for key, value in request.headers.items()})
        if request.path.endswith("/stream"):
            return await _stream(request)
        return web.Response(text=self.version, headers={"x-serinus-version": "a lie"})


async def _stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for delta in ('{"role":"assistant"}', '{"content":"hello"}', "{}"):
        reason = '"length"' if delta == "{}" else "null"
        chunk = f'data: {{"choices":[{{"index":0,"delta":{delta},"finish_reason":{reason}}}]}}\n\n'
        await response.write(chunk.encode())
        await asyncio.sleep(float(request.query.get("pause_s", "0")))
    await response.write(b"data: [DONE]\n\n")
    return response


async def serve_upstream(version: str, stack: contextlib.AsyncExitStack) -> Upstream:
    upstream = Upstream(version)
    # A field may be as long as Envoy takes headers at all.
    server = web.Server(upstream, max_field_size=65_536)  # type: ignore[arg-type]
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    upstream.port = runner.addresses[0][1]
    return upstream
