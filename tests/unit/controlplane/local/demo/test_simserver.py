"""The built-in model server over a real socket: what it answers, and what its knobs do."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from controlplane.local.demo.chatstream import ChatStream
from controlplane.local.demo.simserver import Answer, SimServer, SimSettings, draw, parser, settings_of

FAST = SimSettings(model="chat-v1", first_token_ms=0.0, token_ms=0.0)


def ask(settings: SimSettings, talk: Callable[[ClientSession, str], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with TestServer(SimServer(settings).application()) as server, ClientSession() as session:
            return await talk(session, str(server.make_url("")).rstrip("/"))

    return asyncio.run(run())


def chat(**body: Any) -> Callable[[ClientSession, str], Awaitable[tuple[int, bytes]]]:
    async def talk(session: ClientSession, url: str) -> tuple[int, bytes]:
        async with session.post(f"{url}/v1/chat/completions", json={"messages": [], **body}) as answer:
            return answer.status, await answer.read()

    return talk


def test_a_stream_has_role_content_finish_reason_and_done() -> None:
    status, body = ask(FAST, chat(stream=True, max_tokens=12))
    frames = [json.loads(line[6:]) for line in body.split(b"\n\n") if line.startswith(b"data: {")]
    deltas = [frame["choices"][0]["delta"] for frame in frames]
    assert status == 200
    assert deltas[0] == {"role": "assistant", "content": None}
    assert sum(bool(delta.get("content")) for delta in deltas) == FAST.tokens
    assert frames[-1]["choices"][0]["finish_reason"] == "stop"
    assert {frame["model"] for frame in frames} == {"chat-v1"}
    assert body.endswith(b"data: [DONE]\n\n")


def test_the_demos_own_reader_takes_the_stream_as_whole() -> None:
    stream = ChatStream()
    stream.feed(ask(FAST, chat(stream=True))[1])
    assert (stream.failure(), stream.finish_reason, stream.has_content) == ("", "stop", True)


def test_usage_comes_only_when_asked_for() -> None:
    assert b"usage" not in ask(FAST, chat(stream=True))[1]
    assert b'"completion_tokens":4' in ask(FAST, chat(stream=True, stream_options={"include_usage": True}))[1]


def test_an_answer_that_is_not_streamed_is_one_object() -> None:
    data = json.loads(ask(FAST, chat())[1])
    assert data["object"] == "chat.completion"
    assert data["choices"][0]["finish_reason"] == "stop"
    assert data["usage"]["completion_tokens"] == FAST.tokens


def test_health_and_models_answer() -> None:
    async def talk(session: ClientSession, url: str) -> list[int]:
        statuses = []
        for path in ("/health", "/v1/models", "/nothing"):
            async with session.get(f"{url}{path}") as answer:
                statuses.append(answer.status)
        return statuses

    assert ask(FAST, talk) == [200, 200, 404]


def test_a_body_that_is_no_request_is_refused_in_the_apis_form() -> None:
    async def talk(session: ClientSession, url: str) -> list[tuple[int, str]]:
        seen = []
        for body in (b"{broken", b"[]", b'{"max_tokens": "many"}'):
            async with session.post(f"{url}/v1/chat/completions", data=body) as answer:
                seen.append((answer.status, (await answer.json())["error"]["type"]))
        return seen

    assert ask(FAST, talk) == [(400, "invalid_request_error")] * 3


def test_an_error_share_of_one_answers_500_always() -> None:
    settings = SimSettings(error_share=1.0)
    assert ask(settings, chat(stream=True))[0] == 500


def test_a_length_share_of_one_runs_into_the_limit() -> None:
    assert draw(SimSettings(length_share=1.0), 12, random.Random(1)) == Answer(12, "length", is_error=False)
    assert draw(SimSettings(length_share=1.0), 0, random.Random(1)) == Answer(8, "length", is_error=False)


def test_a_limit_below_the_answer_cuts_it() -> None:
    assert draw(SimSettings(tokens=4), 3, random.Random(1)) == Answer(3, "length", is_error=False)


def test_shares_are_met_in_the_long_run_and_repeat_with_the_seed() -> None:
    settings = SimSettings(length_share=0.2, error_share=0.1)

    def drawn() -> list[Answer]:
        prng = random.Random(settings.seed)
        return [draw(settings, 12, prng) for _ in range(4000)]

    answers = drawn()
    assert answers == drawn()
    assert 0.17 < sum(answer.finish_reason == "length" for answer in answers) / 4000 < 0.23
    assert 0.08 < sum(answer.is_error for answer in answers) / 4000 < 0.12


@pytest.mark.parametrize("wrong", [{"length_share": 1.1}, {"error_share": -0.1}, {"tokens": 0}, {"token_ms": -1.0}])
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SimSettings(**wrong)


def test_the_command_line_has_the_defaults_of_the_settings() -> None:
    arguments = parser().parse_args(["--port", "8001", "--model", "m", "--length-share", "0.5"])
    assert (arguments.host, arguments.port) == ("127.0.0.1", 8001)
    assert settings_of(arguments) == SimSettings(model="m", length_share=0.5)
