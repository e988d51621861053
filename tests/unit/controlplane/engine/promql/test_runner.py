"""Queries are asked at their own pace, once at a time, by who leads alone; over real HTTP what is no answer is told."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest
from aiohttp import web

from controlplane.engine.promql.client import BODY_BYTES_MAX, ask
from controlplane.engine.promql.query import QueryBook, Reply
from controlplane.engine.promql.runner import QueryRunner
from controlplane.engine.secrets import Reading
from controlplane.engine.world import RolloutObject, World
from controlplane.rollout.model import Observing, RolledBack
from tests.ports import free_port
from tests.unit.controlplane.engine.promql.test_query import ASKS, answered
from tests.unit.controlplane.manifest.samples import ROLLOUT
from tests.unit.controlplane.rollout.facts import T0_MS, rollout
from tests.waiting import until


class Prometheus:
    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, url: str, query: str, headers: dict[str, str]) -> Reply:
        self.asked.append((query, headers))
        await self.open.wait()
        return Reply((1.0,))

    @property
    def queries(self) -> list[str]:
        return [query for query, _ in self.asked]


class Secrets:
    def read(self, names: Collection[str], /) -> Reading:
        return Reading(dict.fromkeys(names, b" tok\n"))


class Asking:
    def __init__(self, *rollouts: RolloutObject) -> None:
        self.now_ms, self.prometheus, self.book = T0_MS, Prometheus(), QueryBook()
        self.world = World(rollouts={each.rollout.name: each for each in rollouts})
        self.runner = QueryRunner(
            self.prometheus, Secrets(), world=lambda: self.world, book=lambda: self.book, now_ms=lambda: self.now_ms
        )

    async def look(self, after_s: float = 0.0) -> None:
        self.now_ms += round(after_s * 1_000)
        self.runner.look()
        if self.prometheus.open.is_set():
            await until(lambda: not self.runner._paced._tasks)


def played(tell: Callable[[Asking], Awaitable[None]], *rollouts: RolloutObject) -> None:
    async def run() -> None:
        await tell(Asking(*(rollouts or [RolloutObject(ASKS, {})])))

    asyncio.run(run())


def test_each_query_is_asked_at_its_own_pace() -> None:
    async def tell(asking: Asking) -> None:
        for _ in range(13):
            await asking.look(10)
        assert (asking.prometheus.queries.count("x"), asking.prometheus.queries.count("y")) == (5, 3)
        assert asking.book.fact(ASKS, asking.now_ms).missing == ""

    played(tell)


def test_one_that_hangs_is_not_asked_twice_and_keeps_no_other_waiting() -> None:
    async def tell(asking: Asking) -> None:
        asking.prometheus.open.clear()
        for _ in range(20):
            await asking.look(30)
            await asyncio.sleep(0.01)
        assert sorted(asking.prometheus.queries) == ["x", "y"]
        assert "query failed has no answer yet" in asking.book.fact(ASKS, asking.now_ms).missing
        asking.prometheus.open.set()
        await asking.look()

    played(tell)


def test_what_has_ended_or_is_led_by_another_is_not_asked() -> None:
    ended = rollout(
        RolledBack("worse", T0_MS), text=ROLLOUT + "  promql: [{name: a, url: 'http://p/', query: x, max: 5}]\n"
    )

    async def tell(asking: Asking) -> None:
        await asking.look(60)
        asking.world = World()
        await asking.look(60)
        assert asking.prometheus.asked == []

    played(tell, RolloutObject(ended, {}))


def test_a_credential_is_a_file() -> None:
    text = ROLLOUT + "  promql: [{name: a, url: 'http://p/', query: x, max: 5, auth: {file: prom.token}}]\n"

    async def tell(asking: Asking) -> None:
        await asking.look()
        assert asking.prometheus.asked == [("x", {"authorization": "Bearer tok"})]

    played(tell, RolloutObject(rollout(Observing(0, T0_MS), text=text), {}))


async def answer(request: web.Request) -> web.Response:
    query = (await request.post())["query"]
    if query == "long":
        return web.Response(body=b"x" * (BODY_BYTES_MAX + 1))
    if query == "away":
        raise web.HTTPTemporaryRedirect("/elsewhere")
    return web.Response(body=answered("42"))


@pytest.mark.parametrize(
    ("query", "reply"),
    [
        ("good", Reply((42.0,))),
        ("long", Reply(fault=f"the answer has more than {BODY_BYTES_MAX} bytes")),
        ("away", Reply(fault="it answered 307, and no vector or scalar")),
    ],
)
def test_over_http_what_is_no_answer_is_told(query: str, reply: Reply) -> None:
    async def run() -> None:
        app = web.Application()
        app.router.add_post("/base/api/v1/query", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            assert await ask(f"http://127.0.0.1:{runner.addresses[0][1]}/base", query, {}) == reply
        finally:
            await runner.cleanup()
        gone = await ask(f"http://127.0.0.1:{free_port()}", query, {})
        assert gone.fault.startswith("cannot connect")

    asyncio.run(run())
