"""The ledger's file between processes, and Envoy's admin address as it may answer."""

import asyncio
import fcntl
import json
from pathlib import Path

from aiohttp import web

from extproc.proxystats.client import EnvoyAdmin, LedgerFile, ReaderSeat
from extproc.proxystats.ledger import Held, Ledger, Poll
from extproc.proxystats.parse import ProxyStats


def receive(file: LedgerFile, entries: int, poll: Poll | None) -> Ledger | None:
    file.unsaved += entries
    return file.update(poll, Held(1, 0, 0))


def test_what_two_processes_received_adds_up(tmp_path: Path) -> None:
    old, new = LedgerFile(tmp_path), LedgerFile(tmp_path)
    receive(old, 3, None)
    receive(new, 4, Poll(1_000, 10, 1))
    ledger = receive(old, 0, None)
    assert ledger is not None
    assert (ledger.received, ledger.polls) == (7, (Poll(1_000, 10, 1),))


def test_a_held_lock_is_not_waited_for_and_nothing_is_forgotten(tmp_path: Path) -> None:
    """A stopped process may hold it."""
    file = LedgerFile(tmp_path)
    with (tmp_path / "ledger.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert receive(file, 3, None) is None
        assert receive(file, 2, None) is None
    ledger = receive(file, 1, None)
    assert ledger is not None
    assert ledger.received == 6


def test_one_process_at_a_time_reads_envoys_counters(tmp_path: Path) -> None:
    first, second = ReaderSeat(tmp_path), ReaderSeat(tmp_path)
    assert [first.take(), first.take(), second.take()] == [True, True, False]
    first.leave()
    first.leave()
    assert [second.take(), first.take()] == [True, False]
    second.leave()


def test_a_broken_file_starts_anew(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text('{"polls": [')
    ledger = receive(LedgerFile(tmp_path), 1, None)
    assert ledger is not None
    assert ledger.received == 1
    assert json.loads((tmp_path / "ledger.json").read_text())["received"] == 1


class FakeAdmin:
    """An admin address that answers what it is told to."""

    def __init__(self) -> None:
        self.status, self.body, self.delay_s = 200, b'{"stats": [{"name": "server.uptime", "value": 9}]}', 0.0
        self.port = 0

    async def answer(self, request: web.Request) -> web.Response:
        assert request.query["format"] == "json"
        await asyncio.sleep(self.delay_s)
        return web.Response(status=self.status, body=self.body)

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.add_routes([web.get("/stats", self.answer)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner


def test_envoy_is_asked_and_every_bad_answer_has_its_reason() -> None:
    async def story() -> None:
        fake = FakeAdmin()
        runner = await fake.start()
        admin = EnvoyAdmin(f"127.0.0.1:{fake.port}")
        try:
            assert await admin.stats() == ProxyStats(0, 0, 0, 9, ())
            assert admin.error == ""
            fake.status = 500
            assert await admin.stats() is None
            assert "answered 500" in admin.error
            fake.status, fake.body = 200, b"<html>"
            assert await admin.stats() is None
            assert "cannot be read" in admin.error
            fake.delay_s = 1.0
            assert await admin.stats() is None
            assert "TimeoutError" in admin.error
        finally:
            await runner.cleanup()
            assert await admin.stats() is None
            assert admin.error
            await admin.close()

    asyncio.run(asyncio.wait_for(story(), 20))
