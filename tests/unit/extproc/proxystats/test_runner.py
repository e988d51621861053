"""Two processes beside one Envoy: one asks it, both tell what they received."""

import asyncio
import fcntl
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from extproc.proxystats.ledger import HELD_MS, from_document
from extproc.proxystats.runner import ProxyReader
from tests.unit.extproc.clocks import ManualClock
from tests.unit.extproc.proxystats.test_client import FakeAdmin


def run(story: Callable[[FakeAdmin, str], Awaitable[None]]) -> None:
    async def with_envoy() -> None:
        fake = FakeAdmin()
        runner = await fake.start()
        try:
            await story(fake, f"127.0.0.1:{fake.port}")
        finally:
            await runner.cleanup()

    asyncio.run(asyncio.wait_for(with_envoy(), 20))


def written(count: int) -> bytes:
    stats = [
        {"name": "server.uptime", "value": 9},
        {"name": "access_logs.grpc_access_log.logs_written", "value": count},
    ]
    return json.dumps({"stats": stats}).encode()


def test_the_second_process_reads_when_the_first_is_gone_and_the_ledger_is_one(tmp_path: Path) -> None:
    async def story(fake: FakeAdmin, address: str) -> None:
        clock = ManualClock()
        first, second = (ProxyReader(address, tmp_path, clock.now_ms, epoch) for epoch in range(2))
        fake.body = written(10)
        reading = await first.read(4)
        assert reading is not None
        assert (reading.stats.logs_written, reading.lost, reading.read_ms) == (10, 0, clock.now_ms())
        assert await second.read(5) is None
        assert (first.is_elsewhere, second.is_elsewhere) == (False, True)
        await first.close()
        clock.ms += 5_000
        reading = await second.read(0)
        assert reading is not None
        assert not second.is_elsewhere
        assert reading.lost == 1
        await second.close()

    run(story)


def test_an_envoy_that_cannot_be_read_is_nobody_elses(tmp_path: Path) -> None:
    async def story(fake: FakeAdmin, address: str) -> None:
        fake.status = 500
        reader = ProxyReader(address, tmp_path, ManualClock().now_ms, 1)
        assert await reader.read(1) is None
        assert not reader.is_elsewhere
        fake.status = 200
        assert await reader.read(1) is not None
        await reader.close()

    run(story)


def test_a_ledger_that_another_process_holds_is_not_waited_for_long(tmp_path: Path) -> None:
    async def story(_: FakeAdmin, address: str) -> None:
        reader = ProxyReader(address, tmp_path, ManualClock().now_ms, 1)
        with (tmp_path / "ledger.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert await reader.read(3) is None
        assert await reader.read(2) is not None
        assert json.loads((tmp_path / "ledger.json").read_text())["received"] == 5
        await reader.close()

    run(story)


def test_what_was_received_is_kept_when_a_read_is_cancelled_while_envoy_is_asked(tmp_path: Path) -> None:
    async def story(fake: FakeAdmin, address: str) -> None:
        reader = ProxyReader(address, tmp_path, ManualClock().now_ms, 1)
        fake.delay_s = 0.5
        reading = asyncio.create_task(reader.read(3))
        await asyncio.sleep(0.05)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await reader.close()
        assert json.loads((tmp_path / "ledger.json").read_text())["received"] == 3

    run(story)


def test_at_the_end_a_ledger_that_is_held_is_waited_for_a_second_at_most(tmp_path: Path) -> None:
    async def story(_: FakeAdmin, address: str) -> None:
        reader, other = (ProxyReader(address, tmp_path, ManualClock().now_ms, epoch) for epoch in range(2))
        with (tmp_path / "ledger.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert await reader.read(3) is None
            closing = asyncio.create_task(reader.close())
            await asyncio.sleep(0.2)
            assert not closing.done()
            fcntl.flock(lock, fcntl.LOCK_UN)
            await closing
            assert json.loads((tmp_path / "ledger.json").read_text())["received"] == 3
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert await other.read(4) is None
            await asyncio.wait_for(other.close(), 5)
        assert json.loads((tmp_path / "ledger.json").read_text())["received"] == 3

    run(story)


def missing(tmp_path: Path) -> int:
    return from_document(json.loads((tmp_path / "ledger.json").read_text())).missing


def test_what_a_killed_process_held_is_missing_and_what_an_ended_one_had_handed_over_is_not(tmp_path: Path) -> None:
    async def story(_: FakeAdmin, address: str) -> None:
        clock = ManualClock()
        killed, ended, last = (ProxyReader(address, tmp_path, clock.now_ms, epoch) for epoch in range(3))
        await killed.read(30, 30)
        await ended.read(4, 4)
        await ended.close()
        clock.ms += HELD_MS + 1
        await last.read(0)
        assert missing(tmp_path) == 30
        await last.read(5, 5)
        last.dropped(5)
        await last.close()
        assert missing(tmp_path) == 35
        await killed.close()

    run(story)
