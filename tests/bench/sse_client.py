"""Readers of streams in one process: how long the first token took, how long each token was under way, how many came.

Run by `tests.bench.worker`. Server and client share the machine's monotonic clock, so that a token's way is what lies
between them: a proxy, and whoever looks at what it carries.
"""

import asyncio
import re
import sys
import time

import uvloop

from tests.bench.worker import Answer, allow_files, answer_all

_SENT = re.compile(rb'"sent_ns":(\d+),"choices":\[\{"index":0,"delta":\{"content":" token"')
_OK = b"HTTP/1.1 200 "
_LAST_CHUNK = b"0\r\n\r\n"
_REQUEST = b"POST %b HTTP/1.1\r\nhost: chat.example.com\r\nx-user-id: user-%d\r\ncontent-length: 2\r\n\r\n{}"
# So that streams do not all begin in one moment.
_SPREAD_S = 0.5


class _Reader(asyncio.Protocol):
    """One connection: asks again when a stream has ended, until it is told to stop."""

    transport: asyncio.WriteTransport

    def __init__(self, owner: "Readers", number: int) -> None:
        self._owner = owner
        self._number = number
        self._tail = b""
        self._asked_ns = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        spread_s = _SPREAD_S * self._number / max(1, self._owner.count)
        asyncio.get_running_loop().call_later(spread_s, self._ask)

    def _ask(self) -> None:
        self._asked_ns = time.monotonic_ns()
        self.transport.write(_REQUEST % (self._owner.path, self._number))

    def data_received(self, data: bytes) -> None:
        now_ns, owner = time.monotonic_ns(), self._owner
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(_OK):
            self.ended.set_exception(RuntimeError(f"answered {data[:80]!r}"))
            return
        sent = _SENT.findall(data)
        if sent:
            owner.tokens += len(sent)
            if self._asked_ns and owner.is_timing:
                owner.first_ms.append((now_ns - self._asked_ns) / 1e6)
            self._asked_ns = 0
            if owner.is_timing:
                owner.way_ms.extend((now_ns - int(each)) / 1e6 for each in sent)
        self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
        if self._tail == _LAST_CHUNK:
            self._tail = b""
            owner.streams += 1
            if owner.is_over:
                self.transport.close()
            else:
                self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if self._owner.is_over:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(RuntimeError(f"a stream broke: {error!r}"))


class Readers:
    def __init__(self) -> None:
        self._readers: list[_Reader] = []
        self._reset(0, b"")

    def _reset(self, count: int, path: bytes) -> None:
        self.count, self.path = count, path
        self.tokens = self.streams = 0
        self.first_ms: list[float] = []
        self.way_ms: list[float] = []
        self.is_timing, self.is_over = True, False

    async def open(self, port: int, count: int, path: str, timing: bool = True) -> Answer:
        self._reset(count, path.encode())
        self.is_timing = timing
        loop = asyncio.get_running_loop()
        for number in range(count):
            _, reader = await loop.create_connection(lambda n=number: _Reader(self, n), "127.0.0.1", port)  # type: ignore[misc]
            self._readers.append(reader)
        return {}

    async def count_tokens(self) -> Answer:
        """Since the last time. Raises what any stream ended with."""
        for reader in self._readers:
            if reader.ended.done():
                reader.ended.result()
        tokens, self.tokens = self.tokens, 0
        return {"tokens": tokens}

    async def finish(self) -> Answer:
        """Lets streams come to their end, and tells all."""
        self.is_over = True
        await asyncio.gather(*(reader.ended for reader in self._readers))
        return self._told()

    async def leave(self) -> Answer:
        """Ends all streams where they are."""
        self.is_over = True
        for reader in self._readers:
            reader.transport.abort()
        await asyncio.gather(*(reader.ended for reader in self._readers))
        return self._told()

    def _told(self) -> Answer:
        self._readers = []
        return {"first_ms": self.first_ms, "way_ms": self.way_ms, "streams": self.streams}


async def _main() -> None:
    allow_files()
    readers = Readers()
    asks = {"open": readers.open, "count": readers.count_tokens, "finish": readers.finish, "leave": readers.leave}
    await answer_all(asks)


if __name__ == "__main__":
    uvloop.run(_main())
    sys.exit(0)
