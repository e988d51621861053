"""Requests through the gateway as users send them: single ones, and a steady rate whose every answer is recorded."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import aiohttp

from tests.e2e.upstream import TEST_ID

PATH = "/v1/chat/completions"
# Longer than the longest stream of any test.
REQUEST_TIMEOUT_S = 40.0
# A minute at 1,000 requests/s; reaching it fails the test instead of growing.
REPLIES_MAX = 60_000
# Requests under way at once; a gateway that hangs shows as errors, not as a machine out of sockets.
IN_FLIGHT_MAX = 400
_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Reply:
    """`status` 0 and an `error` if no whole answer came. `started_s` is on time.monotonic's clock."""

    user: str
    started_s: float
    duration_ms: float
    status: int
    version: str
    error: str = ""
    test_id: str = ""
    events: int = 0  # of a stream
    is_done: bool = False  # the stream's [DONE] came

    @property
    def is_ok(self) -> bool:
        return self.status == 200 and not self.error


@dataclass
class Client:
    """Talks to one gateway address. `key_header` carries the user."""

    address: str
    host: str = "chat.test"
    key_header: str = "x-user-id"

    def __post_init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        )

    async def close(self) -> None:
        await self._session.close()

    async def ask(
        self,
        user: str,
        *,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        stream: bool = False,
        host: str | None = None,
        key: tuple[str, str] | None = None,
    ) -> Reply:
        """One request. Never raises for what the gateway does. `key`: another header than the user's own."""
        test_id = str(next(_ids))
        given = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        own = [key or (self.key_header, user), ("host", host or self.host), (TEST_ID, test_id)]
        body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "Sing."}]}
        started_s = time.monotonic()
        try:
            async with self._session.post(f"http://{self.address}{PATH}", json=body, headers=[*own, *given]) as answer:
                text = await answer.text()
                status, version = answer.status, answer.headers.get("x-serinus-version", "")
                error = ""
        except (aiohttp.ClientError, TimeoutError) as caught:
            status, version, text, error = 0, "", "", repr(caught)
        duration_ms = (time.monotonic() - started_s) * 1000
        return Reply(
            user, started_s, duration_ms, status, version, error, test_id, text.count("data: {"), "[DONE]" in text
        )

    async def sweep(self, users: Sequence[str], *, at_once: int = 5, **how: object) -> dict[str, Reply]:
        """One request for every user."""
        gate = asyncio.Semaphore(at_once)

        async def one(user: str) -> Reply:
            async with gate:
                return await self.ask(user, **how)  # type: ignore[arg-type]

        return {reply.user: reply for reply in await asyncio.gather(*map(one, users))}

    def load(self, users: Sequence[str], *, rate: float, **how: object) -> "Load":
        """A steady `rate` of requests a second over `users` in turn, while the block runs."""
        return Load(self, users, rate, dict(how))


@dataclass
class Load:
    """Open loop: a slow gateway does not slow the users down. `replies` grows while it runs."""

    client: Client
    users: Sequence[str]
    rate: float
    how: dict[str, object]
    replies: list[Reply] = field(default_factory=list)

    async def __aenter__(self) -> "Load":
        self._running: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answers under way are waited for."""
        self._task.cancel()
        await asyncio.wait({self._task})
        if self._running:
            await asyncio.wait(self._running, timeout=REQUEST_TIMEOUT_S)
        if not self._task.cancelled():
            self._task.result()

    async def _run(self) -> None:
        started_s = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, started_s + number / self.rate - time.monotonic()))
            assert len(self.replies) < REPLIES_MAX, "the load runs longer than any test should"
            user = self.users[number % len(self.users)]
            if len(self._running) >= IN_FLIGHT_MAX:
                self.replies.append(Reply(user, time.monotonic(), 0.0, 0, "", "too many requests under way"))
                continue
            task = asyncio.create_task(self._one(user))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _one(self, user: str) -> None:
        self.replies.append(await self.client.ask(user, **self.how))  # type: ignore[arg-type]

    def between(self, begin_s: float, end_s: float = float("inf")) -> list[Reply]:
        """Those that started in that time, by time.monotonic."""
        return [reply for reply in self.replies if begin_s <= reply.started_s < end_s]

    @property
    def failed(self) -> list[Reply]:
        return [reply for reply in self.replies if not reply.is_ok]


def median_ms(replies: Sequence[Reply]) -> float:
    return statistics.median(reply.duration_ms for reply in replies)


def versions_by_user(replies: Sequence[Reply]) -> dict[str, list[str]]:
    """Every user's versions in the order of their requests' starts."""
    seen: dict[str, list[str]] = {}
    for reply in sorted(replies, key=lambda reply: reply.started_s):
        seen.setdefault(reply.user, []).append(reply.version)
    return seen
