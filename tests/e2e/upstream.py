"""A model server for tests, in the test's own process: OpenAI chat completions, with knobs to break it."""

import asyncio
import json
import random
from dataclasses import dataclass, field

from aiohttp import web

# What a test remembers of requests: a minute at 1,000 requests/s, far above any test's rate.
IDS_MAX = 60_000
TEST_ID = "x-test-id"
WORDS = ("Grey ", "birds ", "sing ", "in ", "the ", "mine.")


@dataclass
class ModelUpstream:
    """One version of a model. Knobs may be turned while it runs; shares are 0..1, drawn from a seeded generator.

    `reset_share`: connections cut without an answer, as a crashed server does. `length_share`: finish_reason "length".
    Answers are made of `words`. Streams send `chunks` content chunks, `chunk_gap_ms` apart, and go on until `hold` is set where it is given.
    """

    version: str
    failure_share: float = 0.0
    reset_share: float = 0.0
    length_share: float = 0.0
    delay_ms: float = 0.0
    chunks: int = 4
    chunk_gap_ms: float = 5.0
    hold: asyncio.Event | None = None
    words: tuple[str, ...] = WORDS
    requests: int = 0
    open_streams: int = 0
    ids: dict[str, int] = field(default_factory=dict)  # x-test-id -> times seen
    owned_headers: set[str] = field(default_factory=set)  # x-serinus-* names that came through: must stay empty
    address: str = ""

    def __post_init__(self) -> None:
        self._random = random.Random(f"upstream {self.version}")
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.address = f"{host}:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        if self.delay_ms:
            await asyncio.sleep(self.delay_ms / 1000)
        draw = self._random.random()
        if draw < self.reset_share:
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        if draw < self.reset_share + self.failure_share:
            return web.json_response({"error": {"message": "the model is not well"}}, status=503)
        finish = "length" if self._random.random() < self.length_share else "stop"
        body = await request.read()
        wants_stream = body and json.loads(body).get("stream")
        return await self._stream(request, finish) if wants_stream else self._whole(finish)

    def _note(self, request: web.Request) -> None:
        self.requests += 1
        self.owned_headers |= {name for name in map(str.lower, request.headers) if name.startswith("x-serinus-")}
        if (test_id := request.headers.get(TEST_ID)) and len(self.ids) < IDS_MAX:
            self.ids[test_id] = self.ids.get(test_id, 0) + 1

    def _whole(self, finish: str) -> web.Response:
        message = {"role": "assistant", "content": "".join(self.words)}
        return web.json_response(
            {
                "object": "chat.completion",
                "model": self.version,
                "choices": [{"index": 0, "message": message, "finish_reason": finish}],
                "usage": {
                    "prompt_tokens": 7,
                    "completion_tokens": len(self.words),
                    "total_tokens": 7 + len(self.words),
                },
            }
        )

    async def _stream(self, request: web.Request, finish: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        self.open_streams += 1
        try:
            await response.prepare(request)
            await response.write(self._event({"role": "assistant", "content": None}, None))
            number, hold = 0, self.hold
            while number < self.chunks or (hold is not None and not hold.is_set()):
                await asyncio.sleep(self.chunk_gap_ms / 1000)
                await response.write(self._event({"content": self.words[number % len(self.words)]}, None))
                number += 1
            await response.write(self._event({}, finish) + b"data: [DONE]\n\n")
            await response.write_eof()
        finally:
            self.open_streams -= 1
        return response

    def _event(self, delta: dict[str, object], finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"object": "chat.completion.chunk", "model": self.version, "choices": [choice]}
        return f"data: {json.dumps(chunk)}\n\n".encode()
