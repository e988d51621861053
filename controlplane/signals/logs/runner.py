"""Follows the logs that manifests name into a `LogBook`, beside everything else: nothing waits for it.

Off unless the control plane was told where logs may be read: whoever may apply a manifest could otherwise ask this
machine's files for their words, one pattern at a time.
"""

import asyncio
import fnmatch
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from controlplane.signals.logs.book import LogBook, LogPlace, LogTarget
from controlplane.signals.logs.client import FileTail, Piece
from controlplane.signals.logs.lines import Lines, Matcher
from controlplane.signals.logs.processes import JOURNALCTL, UnitTail

log = logging.getLogger("serinus.logs")

EVERY_S = 1.0
NO_FILES = "the control plane runs without --server-logs"
NO_UNITS = "--server-unit of the control plane does not let it through"


@dataclass(slots=True)
class _Source:
    matcher: Matcher
    patterns: tuple[tuple[str, str], ...]
    lines: Lines = field(default_factory=Lines)
    tail: FileTail | None = None
    task: asyncio.Task[None] | None = None

    def close(self) -> None:
        if self.tail is not None:
            self.tail.close()
        if self.task is not None:
            self.task.cancel()


class LogRunner:
    """`targets` is asked at each look: manifests change. `directory`: of files; `units`: globs of units."""

    def __init__(
        self,
        book: LogBook,
        targets: Callable[[], Sequence[LogTarget]],
        now_ms: Callable[[], int],
        *,
        directory: Path | None,
        units: Sequence[str],
        journalctl: Sequence[str] = JOURNALCTL,
    ) -> None:
        self._book, self._targets, self._now_ms = book, targets, now_ms
        self._directory, self._units, self._journalctl = directory, tuple(units), journalctl
        self._sources: dict[LogPlace, _Source] = {}

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    await self.look()
                except Exception:
                    log.exception("the logs of servers cannot be followed for now")
                await asyncio.sleep(EVERY_S)
        finally:
            for source in self._sources.values():
                source.close()
            # Each ends its own process before this one goes.
            tasks = [source.task for source in self._sources.values() if source.task is not None]
            await asyncio.gather(*tasks, return_exceptions=True)

    async def look(self) -> None:
        """Once over all files; units speak by themselves."""
        targets = self._targets()
        self._follow({target.place: target for target in targets})
        self._book.follow(targets)
        for target in targets:
            if target.place not in self._sources:
                self._book.tell(target.place, NO_UNITS if target.is_unit else NO_FILES)
        tails = [(place, source) for place, source in self._sources.items() if source.tail is not None]
        for place, source, piece, counts in await asyncio.to_thread(_read, tails):
            if self._sources.get(place) is source:
                self._book.tell(place, piece.fault)
                self._book.add(place, counts, self._now_ms(), skipped_bytes=piece.skipped_bytes)

    def _follow(self, wanted: dict[LogPlace, LogTarget]) -> None:
        for place, source in list(self._sources.items()):
            if place not in wanted or wanted[place].patterns != source.patterns:
                source.close()
                del self._sources[place]
        for place, target in wanted.items():
            if place not in self._sources and self._is_allowed(target):
                self._sources[place] = self._open(target)

    def _is_allowed(self, target: LogTarget) -> bool:
        if target.is_unit:
            return any(fnmatch.fnmatchcase(target.place.source, glob) for glob in self._units)
        return self._directory is not None

    def _open(self, target: LogTarget) -> _Source:
        source = _Source(Matcher(target.patterns), target.patterns)
        if target.is_unit:
            source.task = asyncio.create_task(self._unit(target.place, source).run())
        elif self._directory is not None:
            source.tail = FileTail(self._directory, target.place.source)
        return source

    def _unit(self, place: LogPlace, source: _Source) -> UnitTail:
        def take(piece: bytes) -> None:
            self._book.add(place, source.matcher.counts(source.lines.feed(piece)), self._now_ms())

        def tell(fault: str) -> None:
            self._book.tell(place, fault)

        return UnitTail(place.source, take, tell, command=self._journalctl)


def _read(tails: Sequence[tuple[LogPlace, _Source]]) -> list[tuple[LogPlace, _Source, Piece, dict[str, int]]]:
    """Of each file what is new. In a thread."""
    found = []
    for place, source in tails:
        assert source.tail is not None, "only files are read here"
        piece = source.tail.read()
        if piece.skipped_bytes:
            source.lines = Lines()
        found.append((place, source, piece, source.matcher.counts(source.lines.feed(piece.data))))
    return found
