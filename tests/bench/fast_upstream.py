"""Model servers that cost next to nothing, in a process of their own: `python -m tests.bench.fast_upstream COUNT`.

Each answers at once, with its number and the `x-serinus-*` headers that it was sent: whoever asked can see where a
request went and how it was tagged. Prints the ports as a line of JSON; ends with its standard input. HTTP/1.1 without
bodies, which is what a proxy sends for GET.
"""

import asyncio
import json
import re
import sys

import uvloop

_END = b"\r\n\r\n"
_OURS = re.compile(rb"(?im)^(x-serinus-[^\r\n]*)\r$")
_HEALTH = b"GET /health "


class _Server(asyncio.Protocol):
    def __init__(self, number: int) -> None:
        self._number = b"v%d" % number
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._held or not data.endswith(_END) or data.count(_END) > 1:
            *whole, self._held = (self._held + data).split(_END)
        else:
            whole = [data]
        answers = b"".join([self._answer(head) for head in whole])
        if answers:
            self._transport.write(answers)  # type: ignore[attr-defined]

    def _answer(self, head: bytes) -> bytes:
        said = b"|".join([self._number, *sorted(_OURS.findall(head))]) if b"x-serinus-" in head else self._number
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(said), said)


async def _main(count: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda number=number: _Server(number), "127.0.0.1", 0)  # type: ignore[misc]
        for number in range(1, count + 1)
    ]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
