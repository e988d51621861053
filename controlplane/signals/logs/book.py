"""What the logs of model servers held lately, by version and pattern. Mutable, single-threaded, no clock, no text."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

# What is shown as "lately": an operator looks at the last minutes, a burst of an hour ago is history.
LATELY_S = 300


@dataclass(frozen=True, slots=True)
class LogPlace:
    """`source`: the name of a file or of a unit."""

    service: str
    version: str
    source: str


@dataclass(frozen=True, slots=True)
class LogTarget:
    """`is_unit`: of journald. `patterns`: name and RE2."""

    place: LogPlace
    is_unit: bool
    patterns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class VersionLogs:
    """By pattern: `lines` since they are followed, `lately` of the last LATELY_S, `seconds` in which there was one.
    `faults`: why sources are not followed, in words, without text of a log."""

    sources: int = 0
    followed: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)
    lately: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, int] = field(default_factory=dict)
    skipped_bytes: int = 0
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class _Count:
    lines: int = 0
    seconds: int = 0
    recent: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LATELY_S))

    def add(self, lines: int, second: int) -> None:
        self.lines += lines
        if self.recent and self.recent[-1][0] >= second:
            at, before = self.recent.pop()
            self.recent.append((at, before + lines))
        else:
            self.recent.append((second, lines))
            self.seconds += 1

    def lately(self, now_s: int) -> int:
        return sum(lines for second, lines in self.recent if now_s - second < LATELY_S)


@dataclass(slots=True)
class _Version:
    counts: dict[str, _Count]
    faults: dict[str, str]
    skipped_bytes: int = 0


class LogBook:
    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], _Version] = {}

    def follow(self, targets: Collection[LogTarget]) -> None:
        """These are followed from now on; of others nothing is remembered, and of a new source nothing is known."""
        versions: dict[tuple[str, str], _Version] = {}
        for target in targets:
            place = target.place
            key = place.service, place.version
            before = self._versions.get(key, _Version({}, {}))
            version = versions.setdefault(key, _Version({}, {}, before.skipped_bytes))
            for name, _ in target.patterns:
                version.counts.setdefault(name, before.counts.get(name) or _Count())
            version.faults[place.source] = before.faults.get(place.source, "not read yet")
        self._versions = versions

    def add(self, place: LogPlace, counts: Mapping[str, int], now_ms: int, *, skipped_bytes: int = 0) -> None:
        """Lines that a source had; what is not followed any more is passed over."""
        version = self._versions.get((place.service, place.version))
        if version is None:
            return
        version.skipped_bytes += skipped_bytes
        for name, lines in counts.items():
            if (count := version.counts.get(name)) is not None:
                count.add(lines, now_ms // 1_000)

    def tell(self, place: LogPlace, fault: str) -> None:
        """Why a source is not followed now; "": it is."""
        version = self._versions.get((place.service, place.version))
        if version is not None and place.source in version.faults:
            version.faults[place.source] = fault

    def versions(self) -> list[tuple[str, str]]:
        """Service and version of all that are followed, in order."""
        return sorted(self._versions)

    def of(self, service: str, version: str, now_ms: int) -> VersionLogs:
        """Of one version now; without sources all is empty."""
        own = self._versions.get((service, version))
        if own is None:
            return VersionLogs()
        return VersionLogs(
            sources=len(own.faults),
            followed=sum(not fault for fault in own.faults.values()),
            lines={name: count.lines for name, count in own.counts.items()},
            lately={name: count.lately(now_ms // 1_000) for name, count in own.counts.items()},
            seconds={name: count.seconds for name, count in own.counts.items()},
            skipped_bytes=own.skipped_bytes,
            faults=tuple(f"{source}: {fault}" for source, fault in sorted(own.faults.items()) if fault),
        )
