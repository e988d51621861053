"""Answers to the user's evaluator, and its scores on as feedback. Out of band: no request and no tag waits for it.

Bounded: what comes while `WAITING_MAX` wait is counted and left out, whichever version it is of. A failure is counted
and logged once a minute; nothing of an answer is in the log.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from extproc.evaluator.client import Ask
from extproc.outcome.rated import Rated, score_of
from extproc.telemetry.tables import Counter

# 64 K characters each at most, 13 MB; a minute of one a second at four in parallel.
WAITING_MAX = 100
_TOGETHER = 4
_LOG_AGAIN_S = 60.0

_log = logging.getLogger(__name__)
# The id of a request and its score.
Tell = Callable[[str, float], object]


class Evaluator:
    """`offer` answers; `run` asks until it is cancelled."""

    def __init__(self, ask: Ask, tell: Tell, counts: Counter) -> None:
        self._ask, self._tell, self._counts = ask, tell, counts
        self._waiting: asyncio.Queue[Rated] = asyncio.Queue(WAITING_MAX)
        self._logged_s = float("-inf")

    def offer(self, rated: Rated) -> None:
        try:
            self._waiting.put_nowait(rated)
        except asyncio.QueueFull:
            self._counts.add(("dropped",))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(_TOGETHER):
                group.create_task(self._loop())

    async def _loop(self) -> None:
        while True:
            await self._rate(await self._waiting.get())

    async def _rate(self, rated: Rated) -> None:
        try:
            score = score_of(await self._ask(rated))
        except Exception as error:
            self._counts.add(("failed",))
            self._warn(error)
            return
        self._counts.add(("no_opinion" if score is None else "scored",))
        if score is not None:
            self._tell(rated.request_id, score)

    def _warn(self, error: Exception) -> None:
        """By its type: its words may hold what it was shown."""
        now_s = time.monotonic()
        if now_s - self._logged_s >= _LOG_AGAIN_S:
            self._logged_s = now_s
            _log.warning("the evaluator failed", extra={"error": type(error).__name__})
