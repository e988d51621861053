"""One session with PostgreSQL, for callers that block: asyncpg on an event loop in a thread of its own.

A session that broke is opened anew by the next call; none is repeated here, for only the caller knows whether that
would be right. No message names a password: what asyncpg says of an address that it cannot read is not passed on.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg

from controlplane.store.port import StoreError

T = TypeVar("T")
Work = Callable[[asyncpg.Connection], Awaitable[T]]

CONNECT_S_MAX = 3.0
# Of one call. Reading a day of batches back takes seconds; a write takes milliseconds.
CALL_S_MAX = 30.0
# A leader that froze in the middle of a write must not keep the others from its lease. One whose machine is gone is
# noticed by the same clock.
SERVER_SETTINGS = {
    "application_name": "serinus",
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "3000",
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
}
# An address with anything wrong in it: these errors may quote it.
_ADDRESS_ERRORS = (ValueError, asyncpg.InterfaceError)


def place_of(address: str) -> str:
    """A database's address without user and password, for messages."""
    try:
        parts = urlsplit(address)
        return f"{parts.hostname or 'the local socket'}:{parts.port or 5432}{parts.path}"
    except ValueError:
        return "the given address"


class Session:
    """Raises StoreError from each call that could not be done; what it did is unknown if the session broke."""

    def __init__(self, address: str, *, call_s_max: float = CALL_S_MAX) -> None:
        self._call_s_max = call_s_max
        self._address = address
        self.place = place_of(address)
        self._loop = asyncio.new_event_loop()
        self._connection: asyncpg.Connection | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres", daemon=True)
        self._thread.start()

    @property
    def is_broken(self) -> bool:
        """Whether the newest call found no connection, or left none."""
        return self._connection is None or self._connection.is_closed()

    def run(self, work: Work[T]) -> T:
        """Blocks until it is done."""
        return asyncio.run_coroutine_threadsafe(self._run(work), self._loop).result()

    async def _run(self, work: Work[T]) -> T:
        connection = await self._connected()
        try:
            async with asyncio.timeout(self._call_s_max):
                return await work(connection)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            if connection.is_closed() or isinstance(error, TimeoutError | OSError):
                connection.terminate()
            raise StoreError(
                f"the database {self.place} failed: {_words(error)}", next_step="check the database and its disk space"
            ) from error

    async def _connected(self) -> asyncpg.Connection:
        if not self.is_broken:
            return self._connection
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                self._connection = await asyncpg.connect(self._address, server_settings=SERVER_SETTINGS)
        except _ADDRESS_ERRORS as error:
            raise StoreError(
                "the address of the database cannot be used",
                next_step="write postgresql://USER@HOST:PORT/DATABASE; the password may stand in PGPASSFILE",
            ) from error
        except (asyncpg.PostgresError, OSError, TimeoutError) as error:
            raise StoreError(
                f"cannot reach the database {self.place}: {_words(error)}",
                next_step="check that it runs, and user, password and address",
            ) from error
        return self._connection

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            try:
                async with asyncio.timeout(1.0):
                    await self._connection.close()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                self._connection.terminate()


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
