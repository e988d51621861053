"""What rules look at, over the last hour: a value, or counts of which a window's share is one. Mutable, bounded."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

# A rule is at most this much later than its evidence; an hour is 720 points.
EVERY_MS = 5_000
KEPT_MS = 3_600_000 + 2 * EVERY_MS
POINTS_MAX = KEPT_MS // EVERY_MS + 2
# A share of fewer requests is a matter of luck.
REQUESTS_MIN = 20


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the rollout began: of how many requests how many were bad."""

    requests: int
    bad: int


@dataclass(slots=True)
class Series:
    """Points of (ms, value), oldest first; a value is a number, or running totals."""

    points: deque[tuple[int, float | Counts]] = field(default_factory=lambda: deque(maxlen=POINTS_MAX))

    def add(self, at_ms: int, value: float | Counts | None) -> None:
        """None: nobody can say, which is not remembered."""
        if value is None or (self.points and at_ms <= self.points[-1][0]):
            return
        if isinstance(value, Counts) and self.points and _began_anew(self.points[-1][1], value):
            self.points.clear()
        self.points.append((at_ms, value))

    def value(self, now_ms: int, window_ms: int) -> float | None:
        """Of the window that ends now: the share of its requests, or the newest number. None: not known."""
        return self._at(now_ms, window_ms, _share)

    def rate(self, now_ms: int, window_ms: int) -> float | None:
        """Requests a second of the window that ends now."""
        return self._at(now_ms, window_ms, lambda requests, _: requests / (window_ms / 1_000))

    def _at(self, now_ms: int, window_ms: int, of: Callable[[int, int], float | None]) -> float | None:
        upto = [point for point in self.points if point[0] <= now_ms]
        if not upto or now_ms - upto[-1][0] > 3 * EVERY_MS:
            return None
        newest = upto[-1][1]
        if not isinstance(newest, Counts):
            return newest
        before = next((value for at_ms, value in reversed(upto) if at_ms <= now_ms - window_ms), Counts(0, 0))
        if not isinstance(before, Counts):
            return None
        return of(newest.requests - before.requests, newest.bad - before.bad)

    def path(self, now_ms: int, over_ms: int, window_ms: int, *, is_rate: bool = False) -> list[tuple[float, float]]:
        """(second, value) at each point of the last `over_ms`."""
        found = []
        for at_ms in [at_ms for at_ms, _ in self.points if now_ms - over_ms <= at_ms <= now_ms]:
            value = self.rate(at_ms, window_ms) if is_rate else self.value(at_ms, window_ms)
            if value is not None:
                found.append((at_ms / 1_000, value))
        return found


def _share(requests: int, bad: int) -> float | None:
    return bad / requests if requests >= REQUESTS_MIN else None


def _began_anew(before: float | Counts, now: Counts) -> bool:
    """Totals never fall within one rollout."""
    return not isinstance(before, Counts) or now.requests < before.requests or now.bad < before.bad
