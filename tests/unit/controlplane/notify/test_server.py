"""The door for alerts over real HTTP: who may come in, what is kept before it is answered, and who leads."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from controlplane.engine.incoming import FIRING_MAX, JOURNAL
from controlplane.notify.server import PATH, AlertServer
from controlplane.security.access import mint, render
from controlplane.security.errors import UnauthenticatedError
from controlplane.security.identity import LOCAL, Identity
from controlplane.security.roles import Role
from controlplane.settings import ControlPlaneSettings
from controlplane.store.memory import MemoryStore
from controlplane.store.port import Record, StoredObject, StoreError
from tests.e2e.plane import plane, settings
from tests.unit.controlplane.engine.test_runner import Story
from tests.unit.controlplane.notify.test_alerts_in import alert, body

JSON = {"content-type": "application/json"}


def by_token(header: str | None) -> Identity | None:
    if header == "Bearer ok":
        return Identity("token", "operator", "alertmanager")
    if header == "Bearer view":
        return Identity("token", "viewer", "guest")
    if header is None:
        return None
    raise UnauthenticatedError("the token is not known here")


class Broken(MemoryStore):
    is_broken = False

    def append(self, record: Record, objects: Any = ()) -> None:
        if self.is_broken:
            raise StoreError("disk full")
        super().append(record, objects)


class Door:
    def __init__(self, story: Story, store: Broken, identify: Callable[[str | None], Identity | None]) -> None:
        self.story, self.store, self.leads = story, store, True
        self.server = AlertServer(story.engine, store, story.exporter, identify=identify, is_leading=lambda: self.leads)
        self.url = ""

    async def post(self, data: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url, data=io.BytesIO(data), headers=JSON | headers) as answer,
        ):
            told = await answer.json() if answer.content_type == "application/json" else {}
            return answer.status, told

    @property
    def kept(self) -> list[Record]:
        return self.store.records(JOURNAL)

    @property
    def firing(self) -> list[str]:
        return [each.key for each in self.story.engine.alerts.incoming.firing]


def served(
    tell: Callable[[Door], Awaitable[None]],
    *,
    store: Broken | None = None,
    identify: Callable[[str | None], Identity | None] = lambda _: LOCAL,
) -> None:
    async def run() -> None:
        kept = store or Broken()
        story = Story(kept)
        await story.engine.start()
        door = Door(story, kept, identify)
        app = web.Application()
        app.router.add_routes(door.server.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        door.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
        try:
            await door.server.load()
            await tell(door)
        finally:
            await runner.cleanup()
            await story.engine.close()

    asyncio.run(run())


def test_what_fires_is_kept_before_it_is_answered_and_repetitions_are_not_written() -> None:
    async def tell(door: Door) -> None:
        door.story.clock.at_ms += 60_000
        assert await door.post(body(alert(), alert(labels={}))) == (200, {"taken": 1, "ignored": 1})
        assert (len(door.kept), door.firing) == (1, ["c04ba5b2f1d3a9e7"])
        door.story.clock.at_ms += 60_000
        await door.post(body(alert()))
        assert len(door.kept) == 1
        (one,) = door.story.engine.alerts.incoming.firing
        assert one.seen_ms == door.story.clock.at_ms
        assert await door.post(body(alert(status="resolved"))) == (200, {"taken": 1, "ignored": 0})
        assert (len(door.kept), door.firing) == (2, [])
        text = door.story.exporter.text().decode()
        assert 'serinus_alerts_received_total{outcome="firing"} 2.0' in text
        assert 'serinus_alerts_received_total{outcome="ignored"} 1.0' in text

    served(tell)


def test_after_a_restart_it_still_fires() -> None:
    store = Broken()

    async def first(door: Door) -> None:
        await door.post(body(alert()))

    async def second(door: Door) -> None:
        assert door.firing == ["c04ba5b2f1d3a9e7"]

    served(first, store=store)
    served(second, store=store)


def test_what_the_store_does_not_take_is_not_answered_with_yes() -> None:
    async def tell(door: Door) -> None:
        door.store.is_broken = True
        status, told = await door.post(body(alert()))
        assert (status, told["code"], door.firing) == (503, "store", [])

    served(tell)


def test_who_does_not_lead_sends_alertmanager_on() -> None:
    async def tell(door: Door) -> None:
        door.leads = False
        status, told = await door.post(body(alert()))
        assert (status, told["code"]) == (503, "not_ready")

    served(tell)


def test_more_alerts_than_can_be_kept_change_nothing() -> None:
    async def tell(door: Door) -> None:
        half = FIRING_MAX // 2
        await door.post(body(*(alert(fingerprint=f"{n}") for n in range(half))))
        status, told = await door.post(body(*(alert(fingerprint=f"x{n}") for n in range(half + 1))))
        assert (status, len(door.firing)) == (503, half)
        assert "more than 1000 alerts fire" in told["error"]

    served(tell)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer ok"}, 200),
        ({"authorization": "Bearer view"}, 403),
        ({"authorization": "Bearer no"}, 401),
        ({}, 401),
        ({"authorization": "Bearer ok", "content-type": "text/plain"}, 400),
    ],
)
def test_the_door_knows_tokens_and_wants_json(headers: dict[str, str], status: int) -> None:
    async def tell(door: Door) -> None:
        assert (await door.post(body(alert()), **headers))[0] == status
        assert bool(door.firing) is (status == 200)
        if status == 200:
            assert door.kept[0].actor == "alertmanager"

    served(tell, identify=by_token)


def test_the_door_of_a_whole_control_plane_is_that_of_its_tokens(tmp_path: Path) -> None:
    token, kept = mint("am", Role.OPERATOR.word, secret=bytes(32), expires_s=1 << 33)
    (tmp_path / "tokens").write_text(render([kept]))
    (tmp_path / "tokens").chmod(0o600)

    async def post(config: ControlPlaneSettings, **headers: str) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://{config.http}{PATH}", data=body(alert()), headers=JSON | headers) as answer,
        ):
            return answer.status

    async def run() -> None:
        async with plane(settings(tmp_path / "a", tokens=tmp_path / "tokens")) as world:
            assert await post(world.config) == 401
            assert await post(world.config, authorization="Bearer srn_am_guess") == 401
            assert await post(world.config, authorization=f"Bearer {token}") == 200
            (kept,) = await world.control.engine.records(JOURNAL)
            assert kept.actor == "am"
        async with plane(settings(tmp_path / "b")) as world:
            assert await post(world.config) == 200, "on loopback without tokens, as the admin port"

    asyncio.run(run())


def test_a_body_that_is_none_or_too_large_is_refused() -> None:
    async def tell(door: Door) -> None:
        status, told = await door.post(b"{}")
        assert (status, told["code"]) == (400, "alert_payload")
        assert (await door.post(b"x" * (2 * 1024 * 1024)))[0] == 413

    served(tell)


def test_the_objects_of_the_store_are_untouched() -> None:
    async def tell(door: Door) -> None:
        await door.post(body(alert()))
        assert door.store.latest() == []
        assert door.store.objects() == list[StoredObject]()

    served(tell)
