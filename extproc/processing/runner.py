"""The beat by which the event loop shows that it keeps up; `overload` judges it. It beats only while requests come."""

import asyncio
import time

from extproc.processing.overload import BACKLOG, BEAT_S, Overload


class Pace:
    """One event loop's. Ask `is_behind` at every stream that is opened."""

    def __init__(self) -> None:
        self._overload = Overload()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due_s = 0.0

    def is_behind(self) -> bool:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._overload.caught_up(time.monotonic())
            self._wind()
        overload = self._overload
        overload.opened += 1
        # Not the loop's own clock: uvloop's stands still for a whole turn.
        return overload.opened >= BACKLOG and overload.look(time.monotonic())

    def _wind(self) -> None:
        assert self._loop is not None
        self._due_s = time.monotonic() + BEAT_S
        self._loop.call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        if self._overload.beat(due_s=self._due_s, now_s=time.monotonic()):
            self._wind()
        else:
            self._loop = None
