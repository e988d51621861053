"""The user's evaluator: an HTTP service, or a Python function of theirs. What it is shown is not kept.

HTTP: POST of {"request": ..., "answer": ...}; 200 with {"score": 0..1} or {"score": null}. A function gets both texts
and returns a number or None; it runs in a thread, so it may take its time.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable

import aiohttp

from extproc.errors import SidecarError
from extproc.outcome.rated import Rated

Ask = Callable[[Rated], Awaitable[object]]
# A grader may be a model itself.
TIMEOUT_S = 30.0
_REPLY_BYTES_MAX = 16_384


class EvaluatorError(SidecarError):
    """The evaluator cannot be asked, or says what is no score."""

    code = "evaluator"


class HttpEvaluator:
    """Asks a URL. `close` it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, rated: Rated) -> object:
        """Raises EvaluatorError, or what aiohttp raises."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        body = {"request": rated.request, "answer": rated.answer}
        async with self._session.post(self._url, json=body, allow_redirects=False) as answer:
            if answer.status != 200:
                raise EvaluatorError(f"the evaluator answered {answer.status}", next_step="200 with a score, or null")
            if (answer.content_length or 0) > _REPLY_BYTES_MAX:
                raise EvaluatorError(f"the evaluator answered {answer.content_length} bytes")
            return await answer.json()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class FunctionEvaluator:
    """Asks `module:function`."""

    def __init__(self, name: str) -> None:
        """Raises EvaluatorError if there is no such function."""
        module, _, function = name.partition(":")
        try:
            self._function: Callable[[str, str], object] = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise EvaluatorError(
                f"--evaluator {name}: {error}", next_step="module:function, importable by the sidecar's Python"
            ) from error

    async def __call__(self, rated: Rated) -> object:
        return await asyncio.wait_for(asyncio.to_thread(self._function, rated.request, rated.answer), TIMEOUT_S)

    async def close(self) -> None:
        """Nothing to close."""


def evaluator_of(where: str) -> HttpEvaluator | FunctionEvaluator:
    """Raises EvaluatorError."""
    return HttpEvaluator(where) if where.startswith(("http://", "https://")) else FunctionEvaluator(where)
