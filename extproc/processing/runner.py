"""The beat by which the event loop shows that it keeps up; `overload` judges it. It beats only while many come."""

import asyncio
import time

from extproc.processing.overload import BACKLOG, BEAT_S, STRIDE, Overload


class Pace:
    """One event loop's. Ask `is_behind` at every stream that is opened."""

    def __init__(self) -> None:
        self._overload = Overload()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due_s = 0.0
        self._look_at = STRIDE

    def is_behind(self) -> bool:
        overload = self._overload
        overload.opened += 1
        return overload.opened >= self._look_at and self._look()

    def _look(self) -> bool:
        now_s = time.monotonic()  # not the loop's own: uvloop's stands still for a whole turn
        if self._loop is not None:
            return self._overload.look(now_s)
        if not self._overload.is_calm(now_s):
            self._loop = asyncio.get_running_loop()
            self._look_at = BACKLOG
            self._wind()
        return False

    def _wind(self) -> None:
        assert self._loop is not None
        self._due_s = time.monotonic() + BEAT_S
        self._loop.call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        if self._overload.beat(due_s=self._due_s, now_s=time.monotonic()):
            self._wind()
        else:
            self._loop = None
            self._look_at = STRIDE
