"""HTTP/1.1 without a library: servers that answer at once, and a client that sends any bytes as headers.

For tests that need tens of thousands of requests, or requests that no client library would send. GET only, no bodies
but those that a content-length announces.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

_END = b"\r\n\r\n"
Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class RawReply:
    """`version` is what `x-serinus-version` says."""

    status: int
    version: str
    head: bytes = field(repr=False)


def request(host: str, headers: Sequence[Header] = (), path: bytes = b"/") -> bytes:
    fields = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    return b"GET %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (path, host.encode(), fields)


class _Server(asyncio.Protocol):
    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *whole, self._held = (self._held + data).split(_END)
        if whole:
            self._transport.write(self._answer * len(whole))


async def serve(stack: contextlib.AsyncExitStack) -> int:
    """A server that answers everything with 200. Returns its port."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    server = await asyncio.get_running_loop().create_server(lambda: _Server(answer), "127.0.0.1", 0)
    stack.callback(server.close)
    port: int = server.sockets[0].getsockname()[1]
    return port


class _Client(asyncio.Protocol):
    """One connection: takes the next request when the answer to the last has come, and notes it under its number."""

    def __init__(self, todo: Iterator[tuple[int, bytes]], replies: dict[int, RawReply]) -> None:
        self._todo = todo
        self._replies = replies
        self._number = -1
        self._held = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        following = next(self._todo, None)
        if following is None:
            self._transport.close()
            return
        self._number, data = following
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._held += data
        end = self._held.find(_END)
        if end < 0:
            return
        head = self._held[:end].lower()
        length = int(_value(head, b"content-length") or 0)
        if len(self._held) < end + len(_END) + length:
            return
        self._held = b""
        version = _value(head, b"x-serinus-version").decode()
        self._replies[self._number] = RawReply(int(head.split(b" ", 2)[1]), version, head)
        self._number = -1
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        """An answer that is missing is missed by whoever counts them."""
        if not self.done.done():
            self.done.set_result(None)


def _value(head: bytes, name: bytes) -> bytes:
    _, _, rest = head.partition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0]


async def replies_to(port: int, requests: Iterable[bytes], *, connections: int = 16) -> list[RawReply | None]:
    """The answers in the order of the requests; None where the gateway closed the connection without one."""
    numbered = list(requests)
    todo, replies = iter(enumerate(numbered)), dict[int, RawReply]()
    while True:
        clients = [_Client(todo, replies) for _ in range(min(connections, len(numbered)))]
        before = len(replies)
        loop = asyncio.get_running_loop()
        for client in clients:
            await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
        await asyncio.gather(*(client.done for client in clients))
        if len(replies) == before or len(replies) == len(numbered):
            return [replies.get(number) for number in range(len(numbered))]
