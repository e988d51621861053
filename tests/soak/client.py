"""The clients of the soak, a process of its own: so many requests over some connections, every answer checked.

Run by `tests.bench.worker`: `run(port, count, first)` answers with what was wrong, by kind, and the first examples.
"""

import asyncio
import sys
from collections import Counter
from typing import Any

import uvloop

from tests.bench.worker import answer_all
from tests.soak.users import USERS, User, user

CONNECTIONS = 32
_END = b"\r\n\r\n"
_EXAMPLES_MAX = 5


class _Run:
    """One order of requests, and what came of it."""

    def __init__(self, users: list[User], count: int, first: int) -> None:
        self.left = count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answered = 0
        self.faults: Counter[str] = Counter()
        self.examples: list[str] = []
        self._users = users
        # A step that is prime to their number goes round all users.
        self._next = first * 7_919 % len(users)

    def take(self) -> User | None:
        if not self.left:
            return None
        self.left -= 1
        self._next = (self._next + 7_919) % len(self._users)
        return self._users[self._next]

    def fault(self, kind: str, example: bytes) -> None:
        self.faults[kind] += 1
        if len(self.examples) < _EXAMPLES_MAX:
            self.examples.append(f"{kind}: {example.decode('latin-1')[:400]}")


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run, open_count: list[int]) -> None:
        self._run = run
        self._open = open_count
        self._held = b""
        self._asked: User | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._ask()

    def _ask(self) -> None:
        self._asked = asked = self._run.take()
        if asked is None:
            self._transport.close()
        else:
            self._transport.write(asked.request)

    def data_received(self, data: bytes) -> None:
        held = self._held = self._held + data if self._held else data
        head, end, body = held.partition(_END)
        if not end or self._asked is None:
            return
        if body != self._asked.told:
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            if len(body) < int(length or 0):
                return
            self._run.fault(_kind(head, body, self._asked), held)
        elif not head.startswith(b"HTTP/1.1 200 ") or head.count(self._asked.version) != 1:
            self._run.fault("wrong", held)
        self._held = b""
        self._run.answered += 1
        self._ask()

    def connection_lost(self, _reason: Exception | None) -> None:
        if self._asked is not None:
            self._run.fault("no answer", self._held)
        self._open[0] -= 1
        if not self._open[0] and not self._run.done.done():
            self._run.done.set_result(None)


def _kind(head: bytes, body: bytes, asked: User) -> str:
    """What is the matter with an answer whose body is not what it should be."""
    if not head.startswith(b"HTTP/1.1 200 "):
        return "failed"
    names = [line.partition(b":")[0] for line in body.split(b"|")[1:]]
    if len(set(names)) < len(names):
        return "duplicated"
    return "lost" if len(names) < asked.told.count(b"|") else "wrong"


class _Clients:
    def __init__(self) -> None:
        self._users = [user(number) for number in range(USERS)]

    async def run(self, port: int, count: int, first: int) -> dict[str, Any]:
        loop, run, open_count = asyncio.get_running_loop(), _Run(self._users, count, first), [CONNECTIONS]
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: _Connection(run, open_count), "127.0.0.1", port)
        await run.done
        return {"answered": run.answered, "faults": dict(run.faults), "examples": run.examples}


async def _main() -> None:
    await answer_all({"run": _Clients().run})


if __name__ == "__main__":
    uvloop.run(_main())
    sys.exit(0)
