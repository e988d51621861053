"""What rules look at, over the last hour: a value, or counts of which a window's share is one. Mutable, bounded."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

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


class Series:
    """Times and values, oldest first; a value is a number, or running totals."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._values: list[float | Counts] = []

    def __len__(self) -> int:
        return len(self._times)

    def add(self, at_ms: int, value: float | Counts | None) -> None:
        """None: nobody can say, which is not remembered."""
        if value is None or (self._times and at_ms <= self._times[-1]):
            return
        if isinstance(value, Counts) and self._values and _began_anew(self._values[-1], value):
            self._times, self._values = [], []
        self._times.append(at_ms)
        self._values.append(value)
        if len(self._times) > POINTS_MAX:
            del self._times[0], self._values[0]

    def value(self, now_ms: int, window_ms: int) -> float | None:
        """Of the window that ends now: the share of its requests, or the newest number. None: not known."""
        return self._at(now_ms, window_ms, _share)

    def rate(self, now_ms: int, window_ms: int) -> float | None:
        """Requests a second of the window that ends now."""
        return self._at(now_ms, window_ms, lambda requests, _: requests / (window_ms / 1_000))

    def _at(self, now_ms: int, window_ms: int, of: Callable[[int, int], float | None]) -> float | None:
        last = bisect_right(self._times, now_ms) - 1
        if last < 0 or now_ms - self._times[last] > 3 * EVERY_MS:
            return None
        newest = self._values[last]
        if not isinstance(newest, Counts):
            return newest
        first = bisect_right(self._times, now_ms - window_ms) - 1
        before = self._values[first] if first >= 0 else Counts(0, 0)
        if not isinstance(before, Counts):
            return None
        return of(newest.requests - before.requests, newest.bad - before.bad)

    def path(self, now_ms: int, over_ms: int, window_ms: int, *, is_rate: bool = False) -> list[tuple[float, float]]:
        """(second, value) at each point of the last `over_ms`."""
        found, look = [], self.rate if is_rate else self.value
        first, end = bisect_left(self._times, now_ms - over_ms), bisect_right(self._times, now_ms)
        for at_ms in self._times[first:end]:
            value = look(at_ms, window_ms)
            if value is not None:
                found.append((at_ms / 1_000, value))
        return found


def _share(requests: int, bad: int) -> float | None:
    return bad / requests if requests >= REQUESTS_MIN else None


def _began_anew(before: float | Counts, now: Counts) -> bool:
    """Totals never fall within one rollout."""
    return not isinstance(before, Counts) or now.requests < before.requests or now.bad < before.bad
