"""Model servers that stream, in a process of their own: `python -m tests.bench.sse_upstream COUNT`.

A POST to `/DELAY_MS/GAP_MS/TOKENS` with two bytes of body is answered with a role at once, the first token after DELAY_MS and
one each GAP_MS, each with the time at which it was written, then a finish. A GET is answered at once. Prints the ports
as a line of JSON; ends with its standard input.
"""

import asyncio
import json
import sys
import time

import uvloop

_END = b"\r\n\r\n"
_BODY_BYTES = 2
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENT = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","sent_ns":%d,'
    b'"choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n'
)
_LAST = b"data: [DONE]\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(delta: bytes, reason: bytes = b"null") -> bytes:
    return _chunk(_EVENT % (time.monotonic_ns(), delta, reason))


class _Server(asyncio.Protocol):
    _transport: asyncio.WriteTransport

    def __init__(self) -> None:
        self._held = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._loop = asyncio.get_running_loop()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, end, rest = self._held.partition(_END)
        if not end:
            return
        if head.startswith(b"GET"):
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            self._held = rest
        elif len(rest) >= _BODY_BYTES:
            self._held = rest[_BODY_BYTES:]
            delay_ms, gap_ms, tokens = (int(each) for each in head.split(b" ", 2)[1].split(b"/")[1:])
            self._transport.write(_HEAD + _event(b'{"role":"assistant","content":""}'))
            self._gap_s, self._left = gap_ms / 1_000, tokens
            self._due_s = self._loop.time() + delay_ms / 1_000
            self._timer = self._loop.call_at(self._due_s, self._token)

    def _token(self) -> None:
        if not self._left:
            self._transport.write(_event(b"{}", b'"stop"') + _chunk(_LAST) + b"0\r\n\r\n")
            return
        self._left -= 1
        self._transport.write(_event(b'{"content":" token"}'))
        self._due_s += self._gap_s
        self._timer = self._loop.call_at(self._due_s, self._token)


async def _main(count: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(_Server, "127.0.0.1", 0, backlog=1_024) for _ in range(count)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
