"""Users of a chat service: completions, each answer checked to its end and recorded. For the demo and `serinus load`.

Two thousand users, each with an `x-user-id`, asking again and again in an order that a seed fixes. A real model gets a
closed loop (each client asks again once answered: two cores set the pace), built-in servers an open loop (a steady
rate, whatever the gateway does). Every request counts; nothing is retried; no prompt or answer is kept.
"""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp

from controlplane.local.demo.chatanswer import ChatAnswer
from controlplane.local.demo.chatstream import ChatStream
from controlplane.local.demo.prompts import chat_request
from controlplane.local.demo.tally import Sent
from serinus.contract.headers import REQUEST_ID, VERSION

USER_HEADER = "x-user-id"
UPSTREAM_ANSWERED = "x-envoy-upstream-service-time"
PATH = "/v1/chat/completions"
# Longer than any answer of 12 tokens on a machine that does other things too; a hang must show as a failure.
REQUEST_TIMEOUT_S = 30.0
# Answers under way when the load ends get this long.
DRAIN_TIMEOUT_S = 10.0
# An open loop that fell further behind (a machine that stood still) leaves out what was due: sent at once, a hundred
# requests would be a burst that no user makes.
ARREARS_MAX_S = 0.1
# How failures begin that are told by the transport; the class of a failure is told by it.
TIMED_OUT, BROKE_OFF = "no whole answer within", "stream broke off"
# Ten minutes at 300 requests/s, 100 bytes each; beyond it the demo ends with an error instead of growing.
RECORDS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """`rate_per_s` 0: a closed loop of `clients`. Otherwise an open loop, at most `clients` requests under way.

    `urls`: asked in turn, in place of the address; `bodies`: what is asked, drawn by the seed, in place of the demo's
    prompts; `streams`: how the answers come."""

    clients: int
    rate_per_s: float = 0.0
    users: int = 2_000
    seed: int = 1
    model: str = "chat"
    urls: tuple[str, ...] = ()
    bodies: tuple[bytes, ...] = ()
    streams: bool = True
    timeout_s: float = REQUEST_TIMEOUT_S
    drain_s: float = DRAIN_TIMEOUT_S


class Load:
    """An async context manager: sends while the block runs. `requests` holds what was answered, in that order."""

    def __init__(self, address: str, plan: LoadPlan) -> None:
        self.plan = plan
        self.requests: list[Sent] = []
        self.not_sent = 0  # open loop: due while `clients` requests were under way, or while this process stood still
        self.failed = 0
        self._urls = plan.urls or (f"http://{address}{PATH}",)
        self._asked = 0
        self._prng = random.Random(plan.seed)
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._runners: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Load":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=self.plan.timeout_s)
        )
        loops = [self._open()] if self.plan.rate_per_s else [self._closed() for _ in range(self.plan.clients)]
        self._runners = [asyncio.create_task(loop, name="load") for loop in loops]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answers under way are waited for, at most `drain_s`, and not at all after an error."""
        await self.stop(drain=kind is None)

    async def stop(self, *, drain: bool = True) -> None:
        """Again is harmless."""
        self._stopping = True
        tasks = {*self._runners, *self._under_way}
        if tasks and drain:
            await asyncio.wait(tasks, timeout=self.plan.drain_s)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._session.close()

    def rate_per_s(self, *, over_s: float = 5.0) -> float:
        """Answers per second over the last seconds."""
        since_ms = _now_ms() - int(over_s * 1000)
        recent = 0
        for sent in reversed(self.requests):
            if sent.started_ms < since_ms:
                break
            recent += 1
        return recent / over_s

    async def _closed(self) -> None:
        while not self._stopping and len(self.requests) < RECORDS_MAX:
            await self._one()
            if self.requests[-1].status == 0:
                await asyncio.sleep(0.1)  # nobody listens: do not spin

    async def _open(self) -> None:
        gap_s, due_s = 1.0 / self.plan.rate_per_s, time.monotonic()
        while not self._stopping and len(self.requests) < RECORDS_MAX:
            if len(self._under_way) < self.plan.clients:
                self._spawn(self._one())
            else:
                self.not_sent += 1
            due_s += gap_s
            behind_s = time.monotonic() - due_s
            if behind_s > ARREARS_MAX_S:
                missed = int(behind_s / gap_s)
                self.not_sent += missed
                due_s += missed * gap_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _one(self) -> None:
        user = self._prng.randrange(self.plan.users)
        question, bodies = self._prng.randrange(1 << 16), self.plan.bodies
        body = (
            bodies[question % len(bodies)] if bodies else json.dumps(chat_request(self.plan.model, question)).encode()
        )
        sent = await self._ask(user, body)
        self.failed += bool(sent.failure) and not sent.is_models_own
        self.requests.append(sent)

    async def _ask(self, user: int, body: bytes) -> Sent:
        headers = {"content-type": "application/json", USER_HEADER: f"user-{user}"}
        started_ms, begin = _now_ms(), time.perf_counter()
        stream: ChatStream | ChatAnswer = ChatStream() if self.plan.streams else ChatAnswer()
        ttft_ms, status, version, request_id = None, 0, "", ""
        failure, models_own = "", False
        url, self._asked = self._urls[self._asked % len(self._urls)], self._asked + 1
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
                version = answer.headers.get(VERSION, "")
                request_id = answer.headers.get(REQUEST_ID, "")
                async for chunk in answer.content.iter_any():
                    if stream.feed(chunk):
                        ttft_ms = (time.perf_counter() - begin) * 1000
                passed_through = UPSTREAM_ANSWERED in answer.headers
            failure = f"HTTP {status}" if status != 200 else stream.failure()
            models_own = bool(stream.error) if status == 200 else passed_through
        except TimeoutError:
            failure = f"{TIMED_OUT} {self.plan.timeout_s:g} s"
        except aiohttp.ClientError as error:
            failure = f"{BROKE_OFF if status else 'no answer'}: {type(error).__name__}"
        return Sent(
            started_ms=started_ms,
            user=user,
            version=version,
            request_id=request_id,
            status=status,
            failure=failure,
            ttft_ms=ttft_ms,
            duration_ms=(time.perf_counter() - begin) * 1000,
            finish_reason=stream.finish_reason,
            is_models_own=bool(failure) and models_own,
            tokens=stream.tokens,
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
