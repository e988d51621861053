"""Real connections: who answers, who refuses, who is silent, who answers no; each probe at its own pace."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from controlplane.engine.secrets import Credential
from controlplane.manifest.probe import Probe
from controlplane.signals.probes.book import Answer, Key, ProbeBook, State
from controlplane.signals.probes.client import ask
from controlplane.signals.probes.runner import ProbeRunner
from tests.ports import free_port
from tests.waiting import until


def probe(**fields: object) -> Probe:
    return Probe.model_validate({"name": "store", "timeout": "500ms", **fields})


@asynccontextmanager
async def server() -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/key":
            return web.Response(status=200 if request.headers.get("authorization") == "Bearer tok" else 401)
        if request.path == "/moved":
            return web.Response(status=302, headers={"location": "/500"})
        return web.Response(status=int(request.path[1:]), text="secret words of the other side")

    app = web.Application()
    app.router.add_get("/{path}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "fault"), [("200", ""), ("204", ""), ("moved", ""), ("404", "it answered 404"), ("503", "it answered 503")]
)
def test_below_400_is_an_answer(path: str, fault: str) -> None:
    async def told() -> Answer:
        async with server() as port:
            return await ask(probe(url=f"http://127.0.0.1:{port}/{path}"), {})

    assert asyncio.run(told()).fault == fault


def test_a_connection_is_an_answer_and_none_is_not() -> None:
    async def told() -> list[str]:
        async with server() as port:
            open_ = await ask(probe(tcp=f"127.0.0.1:{port}"), {})
        refused = await ask(probe(tcp=f"127.0.0.1:{port}"), {})
        web_refused = await ask(probe(url=f"http://127.0.0.1:{port}/200"), {})
        nowhere = await ask(probe(tcp="no-such-host.invalid:1"), {})
        assert open_.seconds > 0
        return [open_.fault, refused.fault, web_refused.fault, nowhere.fault]

    open_, refused, web_refused, nowhere = asyncio.run(told())
    assert open_ == ""
    assert (refused, web_refused) == ("Connection refused", "Connection refused")
    assert nowhere


def test_who_accepts_and_says_nothing_has_not_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert asyncio.run(ask(probe(url=url), {})).fault == "no answer within 0.5 s"


def test_a_probe_with_a_credential_shows_it() -> None:
    book, key = ProbeBook(), ("chat", "store")

    async def told(credential: Credential) -> State:
        async with server() as port:
            target = probe(url=f"http://127.0.0.1:{port}/key", auth={"file": "key"}, fails_after=1)
            runner = ProbeRunner(book, lambda: {key: target}, lambda: 1_000, ask=ask, credential=lambda _: credential)
            book.follow({})
            task = asyncio.create_task(runner.run())
            await until(lambda: bool(book.of("chat", 1_000)) and book.of("chat", 1_000)[0].state is not State.UNKNOWN)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return book.of("chat", 1_000)[0].state

    assert asyncio.run(told(Credential({"authorization": "Bearer tok"}))) is State.UP
    assert asyncio.run(told(Credential())) is State.DOWN
    assert asyncio.run(told(Credential(fault="secret file key cannot be read"))) is State.DOWN
    assert book.of("chat", 1_000)[0].fault == "secret file key cannot be read"


def test_each_probe_is_asked_at_its_own_pace_and_once_at_a_time() -> None:
    asked: list[str] = []
    now_ms, gate = [0], asyncio.Event()
    probes: dict[Key, Probe] = {
        ("chat", "fast"): probe(name="fast", tcp="x:1", every="1s"),
        ("chat", "slow"): probe(name="slow", tcp="x:1", every="10s"),
    }

    async def slowly(which: Probe, headers: dict[str, str]) -> Answer:
        asked.append(which.name)
        await gate.wait()
        return Answer()

    async def looks() -> None:
        runner = ProbeRunner(
            ProbeBook(), lambda: probes, lambda: now_ms[0], ask=slowly, credential=lambda _: Credential()
        )
        runner.look()
        await until(lambda: len(asked) == 2)
        now_ms[0] = 2_000
        runner.look()
        await asyncio.sleep(0.05)
        assert sorted(asked) == ["fast", "slow"], "one is still out"
        gate.set()
        await asyncio.sleep(0.05)
        runner.look()
        await until(lambda: len(asked) == 3)
        assert asked[2] == "fast"
        probes.clear()
        now_ms[0] = 60_000
        runner.look()
        await asyncio.sleep(0.05)
        assert len(asked) == 3

    asyncio.run(looks())
