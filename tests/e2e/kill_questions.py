"""What a proof of kills asks of what may be away just now."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import aiohttp
import grpc

from controlplane.store.postgres import PostgresStore
from controlplane.store.sqlite import DATABASE, SqliteStore
from tests.e2e.kill_world import KillWorld

T = TypeVar("T")
ACKED = 'serinus_report_slots_total{result="acked"}'
# Nobody leads at this moment, or the call broke off. An apply again changes nothing.
RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


async def asked(ask: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await ask()
        except grpc.aio.AioRpcError as error:
            if error.code() not in RETRIED:
                raise
            await asyncio.sleep(0.2)


@contextlib.contextmanager
def open_store(world: KillWorld) -> Iterator[SqliteStore | PostgresStore]:
    """Beside the control plane, as `serinus backup` reads it."""
    store = PostgresStore(world.database) if world.database else SqliteStore(world.settings.state_dir / DATABASE)
    try:
        yield store
    finally:
        store.close()


async def acked_rows(world: KillWorld) -> int:
    async with world.session.get(f"http://{world.settings.sidecar_http}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(ACKED))


async def is_ready(world: KillWorld) -> bool:
    try:
        async with world.session.get(f"http://{world.settings.sidecar_http}/readyz") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
