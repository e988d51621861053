"""One user after the other, one connection, in a process of its own: how long each answer took.

Blocking sockets: nothing stands between the clock and the system. Run by `tests.bench.worker`.
"""

import asyncio
import socket
import sys
import time
from typing import Any

from tests.bench.worker import answer_all

_END = b"\r\n\r\n"
_HEAD = (
    b"GET /v1/chat HTTP/1.1\r\nhost: chat.example.com\r\nx-team: search\r\nx-tier: silver\r\n"
    b"x-region: eu-central-1\r\nuser-agent: bench\r\nx-user-id: user-%d\r\n\r\n"
)


def _probe(port: int, count: int, first: int) -> list[float]:
    """Milliseconds of each request."""
    took_ms = []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(count):
            request = _HEAD % (first + number)
            began_s = time.perf_counter()
            connection.sendall(request)
            answer = connection.recv(65_536)
            took_ms.append((time.perf_counter() - began_s) * 1_000)
            while not _is_whole(answer):
                answer += connection.recv(65_536)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(f"answered {answer[:80]!r}")
    return took_ms


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(_END)
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return bool(end) and len(body) >= int(length)


async def _ask(port: int, count: int, first: int) -> dict[str, Any]:
    return {"took_ms": _probe(port, count, first)}


if __name__ == "__main__":
    asyncio.run(answer_all({"probe": _ask}))
    sys.exit(0)
