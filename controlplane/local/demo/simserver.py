"""A model server without a model: OpenAI chat completions with knobs. The shipped fake of `serinus demo --simulated`.

`python -m controlplane.local.demo.simserver --port 8001 --model chat-v1 --length-share 0.05`

It speaks what vLLM, SGLang and llama.cpp have in common: `POST /v1/chat/completions` (streamed as server-sent events:
a role frame, content frames, the finish_reason, usage if asked for, `[DONE]`; or one JSON object), `GET /v1/models`,
`GET /health`. A streamed answer of 4 tokens costs 1.1 ms of CPU: some hundred a second beside everything else.
It does not read the prompt, count its tokens, queue, or slow down under load.
"""

import argparse
import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

# A prompt of 100,000 tokens is about 400 KB; a body beyond this is refused with 413.
BODY_BYTES_MAX = 4 * 1024 * 1024
# Streams in flight at the end get this long: no demo answer takes a second.
SHUTDOWN_TIMEOUT_S = 2.0
# Nobody reads them; distinct words keep a look at the wire honest.
WORDS = ("Well,", "that", "depends", "on", "what", "you", "mean", "by", "it,", "but", "yes.")


@dataclass(frozen=True, slots=True)
class SimSettings:
    """`length_share`, `error_share`: 0..1 of the requests. `tokens`: of an answer that ends by itself."""

    model: str = "sim"
    tokens: int = 4
    first_token_ms: float = 20.0
    token_ms: float = 5.0
    length_share: float = 0.0
    error_share: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("length_share", "error_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, must be between 0 and 1")
        if self.tokens < 1 or self.first_token_ms < 0 or self.token_ms < 0:
            raise ValueError("tokens must be at least 1, times at least 0 ms")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets: decided before the first byte."""

    tokens: int
    finish_reason: str
    is_error: bool


def draw(settings: SimSettings, max_tokens: int, prng: random.Random) -> Answer:
    """`max_tokens` 0: the request names none. An answer cut by it ends with `length`, as with a real model."""
    is_error = prng.random() < settings.error_share
    runs_on = prng.random() < settings.length_share
    if runs_on or 0 < max_tokens < settings.tokens:
        return Answer(max_tokens or 2 * settings.tokens, "length", is_error)
    return Answer(settings.tokens, "stop", is_error)


class SimServer:
    """Handlers over one PRNG: requests in the same order get the same answers."""

    def __init__(self, settings: SimSettings) -> None:
        self._settings = settings
        self._prng = random.Random(settings.seed)
        self._served = 0

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": self._settings.model, "object": "model"}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        try:
            body = json.loads(await request.read())
            max_tokens = int(body.get("max_tokens") or 0)
            streamed = bool(body.get("stream"))
        except (ValueError, AttributeError, TypeError):
            return _error(400, "the body is not a chat completion request", "invalid_request_error")
        self._served += 1
        answer = draw(self._settings, max_tokens, self._prng)
        if answer.is_error:
            return _error(500, "simulated failure", "server_error")
        ident = f"chatcmpl-{self._settings.model}-{self._served}"
        if not streamed:
            return await self._whole(ident, answer)
        options = body.get("stream_options")
        usage = isinstance(options, dict) and bool(options.get("include_usage"))
        return await self._stream(request, ident, answer, usage=usage)

    async def _whole(self, ident: str, answer: Answer) -> web.Response:
        await asyncio.sleep((self._settings.first_token_ms + self._settings.token_ms * (answer.tokens - 1)) / 1000)
        text = " ".join(_word(index) for index in range(answer.tokens))
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": answer.finish_reason,
        }
        frame = self._frame(ident, [choice], kind="chat.completion")
        return web.json_response({**frame, "usage": _usage(answer)})

    async def _stream(self, request: web.Request, ident: str, answer: Answer, *, usage: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
        try:
            await response.prepare(request)
            await response.write(_event(self._frame(ident, [_delta({"role": "assistant", "content": None})])))
            for index in range(answer.tokens):
                await asyncio.sleep((self._settings.token_ms if index else self._settings.first_token_ms) / 1000)
                await response.write(_event(self._frame(ident, [_delta({"content": f"{_word(index)} "})])))
            tail = _event(self._frame(ident, [_delta({}, answer.finish_reason)]))
            if usage:
                tail += _event({**self._frame(ident, []), "usage": _usage(answer)})
            await response.write(tail + b"data: [DONE]\n\n")
            await response.write_eof()
        except ConnectionResetError:  # the client left; there is nobody to tell
            pass
        return response

    def _frame(self, ident: str, choices: list[dict[str, Any]], kind: str = "chat.completion.chunk") -> dict[str, Any]:
        return {"id": ident, "object": kind, "created": 0, "model": self._settings.model, "choices": choices}


def _delta(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _usage(answer: Answer) -> dict[str, int]:
    return {"prompt_tokens": 0, "completion_tokens": answer.tokens, "total_tokens": answer.tokens}


def _word(index: int) -> str:
    return WORDS[index % len(WORDS)]


def _event(frame: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(frame, separators=(",", ":")).encode() + b"\n\n"


def _error(status: int, message: str, kind: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": kind, "code": status}}, status=status)


def parser() -> argparse.ArgumentParser:
    """The command line. Defaults are those of SimSettings."""
    default = SimSettings()
    parser = argparse.ArgumentParser(
        prog="python -m controlplane.local.demo.simserver", description="An OpenAI-compatible server without a model."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", default=default.model, help="name in the answers")
    parser.add_argument("--tokens", type=int, default=default.tokens, help="tokens of an answer that ends by itself")
    parser.add_argument("--first-token-ms", type=float, default=default.first_token_ms)
    parser.add_argument("--token-ms", type=float, default=default.token_ms, help="between tokens")
    parser.add_argument("--length-share", type=float, default=0.0, help="0..1: answers that run into max_tokens")
    parser.add_argument("--error-share", type=float, default=0.0, help="0..1: answers with HTTP 500")
    parser.add_argument("--seed", type=int, default=default.seed)
    return parser


def settings_of(arguments: argparse.Namespace) -> SimSettings:
    """Raises ValueError for a share or a time out of range."""
    names = ("model", "tokens", "first_token_ms", "token_ms", "length_share", "error_share", "seed")
    return SimSettings(**{name: getattr(arguments, name) for name in names})


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    line = parser()
    arguments = line.parse_args(argv)
    try:
        settings = settings_of(arguments)
    except ValueError as error:
        line.error(str(error))
    web.run_app(
        SimServer(settings).application(),
        host=arguments.host,
        port=arguments.port,
        print=None,
        access_log=None,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
    )


if __name__ == "__main__":
    main()
