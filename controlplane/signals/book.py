"""What the servers of each version said lately, put together by version. Mutable, bounded, no clock.

A server that was not heard for STALE_MS says nothing any more: "no data", never a value of long ago and never a
verdict. Counters are kept as their growth since they were first read. A smaller value (a restart, a worker that ended)
adds nothing: too little for a moment is better than a jump that never was.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from controlplane.signals.logs.book import LogBook
from controlplane.signals.probes.book import ProbeBook
from controlplane.signals.signal import Reading, Signal, merged
from controlplane.signals.trend import POINTS_MAX, Trend, trend

# Three rounds of the slowest pace.
STALE_MS = 30_000
# The fullest moment of so long counts: a queue flutters, and one good second is no room.
RECENT_MS = 30_000
_RECENT_MAX = 16
# Full: this much of the cache, or as many waiting as running, in each of the last readings, at least so many; at once
# with many times as many. A queue that fills within seconds rolls a version back within seconds: three readings of 5 to
# 10 s came after that (35 waited beside 1 in the first), and the name with them.
CACHE_FULL = 0.95
FULL_READINGS_MIN = 3
FULL_AT_ONCE = 4.0
# A point of the memory's trend each half minute: the window is an hour.
MEMORY_EVERY_MS = 30_000


@dataclass(frozen=True, slots=True)
class Place:
    """One source of readings: a server of a version, or an exporter beside it."""

    service: str
    version: str
    source: str


@dataclass(frozen=True, slots=True)
class VersionSignals:
    """`sources`: those declared; `answering`: heard lately. `cache_peak`, `queue_peak`: of the fullest one, over
    RECENT_MS. `growth`: the steepest growth of memory, in bytes a second."""

    sources: int = 0
    answering: int = 0
    reading: Mapping[Signal, float] = field(default_factory=dict)
    cpu_cores: float | None = None
    cache_peak: float | None = None
    queue_peak: float | None = None
    is_full: bool = False
    growth: Trend | None = None


@dataclass(slots=True)
class _Source:
    recent: deque[tuple[int, Reading]] = field(default_factory=lambda: deque(maxlen=_RECENT_MAX))
    memory: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=POINTS_MAX))
    grown: dict[Signal, float] = field(default_factory=dict)
    growth: Trend | None = None

    def add(self, reading: Reading, now_ms: int) -> None:
        before = self.recent[-1][1] if self.recent else {}
        for signal in reading:
            if signal.is_counter:
                more = max(reading[signal] - before.get(signal, reading[signal]), 0.0)
                self.grown[signal] = self.grown.get(signal, 0.0) + more
        self.recent.append((now_ms, reading))
        memory = reading.get(Signal.MEMORY)
        if memory is not None and (not self.memory or now_ms - self.memory[-1][0] * 1000 >= MEMORY_EVERY_MS):
            self.memory.append((now_ms / 1000, memory))
            self.growth = trend(tuple(self.memory))

    def since(self, at_ms: int) -> list[tuple[int, Reading]]:
        return [(when, reading) for when, reading in self.recent if when >= at_ms]


class SignalBook:
    """`logs`: what the servers write to theirs. `probes`: whether what services lean on answers."""

    def __init__(self) -> None:
        self.logs, self.probes = LogBook(), ProbeBook()
        self._sources: dict[Place, _Source] = {}
        # A thousand rollouts ask twice a second, of versions that mostly nobody reads.
        self._versions: dict[tuple[str, str], list[_Source]] = {}

    def follow(self, places: Collection[Place]) -> None:
        """These are read from now on, and nothing else is remembered."""
        self._sources = {place: self._sources.get(place) or _Source() for place in places}
        self._versions = {}
        for place, source in self._sources.items():
            self._versions.setdefault((place.service, place.version), []).append(source)

    def add(self, place: Place, reading: Reading, now_ms: int) -> None:
        """What a source said; nothing at all is no answer."""
        source = self._sources.get(place)
        if source is not None and reading:
            source.add(reading, now_ms)

    def versions(self) -> frozenset[tuple[str, str]]:
        """Service and version of all that are read."""
        return frozenset(self._versions)

    def of(self, service: str, version: str, now_ms: int) -> VersionSignals:
        """Of one version now; without sources all is empty."""
        own = self._versions.get((service, version))
        if own is None:
            return VersionSignals()
        live = [one for one in own if one.recent and now_ms - one.recent[-1][0] <= STALE_MS]
        recent = [one.since(now_ms - RECENT_MS) for one in live]
        cores = [rate for of in recent if (rate := _cores(of)) is not None]
        growths = [one.growth for one in live if one.growth is not None]
        serving = [of for of in recent if _serves(of)]
        return VersionSignals(
            sources=len(own),
            answering=len(live),
            reading=merged({**one.recent[-1][1], **one.grown} for one in live),
            cpu_cores=sum(cores) if cores else None,
            cache_peak=_peak(recent, Signal.KV_CACHE),
            queue_peak=_peak(recent, Signal.QUEUE),
            # One hot server of many is no want of servers.
            is_full=bool(serving) and 2 * sum(_is_full(of) for of in serving) >= len(serving),
            growth=max(growths, key=lambda one: (one.is_steady, one.slope), default=None),
        )


def _peak(recent: list[list[tuple[int, Reading]]], signal: Signal) -> float | None:
    return max((reading[signal] for of in recent for _, reading in of if signal in reading), default=None)


def _cores(of: list[tuple[int, Reading]]) -> float | None:
    """Processor seconds a second, over the readings that are there."""
    seen = [(when, reading[Signal.CPU_SECONDS]) for when, reading in of if Signal.CPU_SECONDS in reading]
    if len(seen) < 2 or seen[-1][0] <= seen[0][0]:
        return None
    return max(seen[-1][1] - seen[0][1], 0.0) * 1000 / (seen[-1][0] - seen[0][0])


def _serves(of: list[tuple[int, Reading]]) -> bool:
    return any(Signal.KV_CACHE in reading or Signal.QUEUE in reading for _, reading in of)


def _is_full(of: list[tuple[int, Reading]]) -> bool:
    last = of[-FULL_READINGS_MIN:]
    if of and _waits(of[-1][1], FULL_AT_ONCE):
        return True
    return len(last) >= FULL_READINGS_MIN and all(_is_full_now(reading) for _, reading in last)


def _is_full_now(reading: Reading) -> bool:
    return reading.get(Signal.KV_CACHE, 0.0) >= CACHE_FULL or _waits(reading, 1.0)


def _waits(reading: Reading, times: float) -> bool:
    """As many times as many wait as run; of a server that tells its queue alone, one runs."""
    waiting, running = reading.get(Signal.QUEUE, 0.0), reading.get(Signal.RUNNING, 0.0)
    return waiting > 0.0 and waiting >= times * max(running, 1.0)
