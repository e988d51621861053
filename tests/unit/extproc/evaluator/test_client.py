"""A user's evaluator, as a service and as a function."""

import asyncio

import pytest
from aiohttp import web

from extproc.evaluator.client import EvaluatorError, FunctionEvaluator, HttpEvaluator, evaluator_of
from extproc.outcome.rated import Rated
from tests.ports import free_port

RATED = Rated("id", '{"messages": []}', "Paris.")


def brevity(request: str, answer: str) -> float:
    """What a user might write."""
    return 1.0 / len(answer) if request else 0.0


async def asked(status: int) -> tuple[object, object]:
    """What a service saw and said that answers with that status."""
    seen: list[object] = []

    async def rate(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.json_response({"score": 0.5}, status=status)

    app = web.Application()
    app.router.add_post("/rate", rate)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    evaluator = HttpEvaluator(f"http://127.0.0.1:{port}/rate")
    try:
        return seen, await evaluator(RATED)
    finally:
        await evaluator.close()
        await runner.cleanup()


def test_a_service_is_shown_request_and_answer_and_says_a_score() -> None:
    assert asyncio.run(asked(200)) == ([{"request": '{"messages": []}', "answer": "Paris."}], {"score": 0.5})


def test_a_service_that_answers_otherwise_has_no_score() -> None:
    with pytest.raises(EvaluatorError, match="answered 503"):
        asyncio.run(asked(503))


def test_a_function_of_the_users_is_called() -> None:
    evaluator = evaluator_of(f"{__name__}:brevity")
    assert asyncio.run(evaluator(RATED)) == pytest.approx(1 / 6)


@pytest.mark.parametrize("name", ["no_such_module:rate", f"{__name__}:nothing", "json"])
def test_a_function_that_is_not_there_is_said_at_the_start(name: str) -> None:
    with pytest.raises(EvaluatorError, match="--evaluator"):
        FunctionEvaluator(name)
