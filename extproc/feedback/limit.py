"""A token bucket: so many a second, and so many at once after a quiet while. Pure; times in ms come in."""


class TokenBucket:
    """Mutable. Starts full."""

    def __init__(self, *, per_second: int, burst: int) -> None:
        self._per_ms = per_second / 1_000
        self._burst = float(burst)
        self._left = self._burst
        self._at_ms: int | None = None

    def take(self, now_ms: int) -> bool:
        """Whether there was one left. A clock that goes back adds nothing."""
        if self._at_ms is not None:
            self._left = min(self._burst, self._left + max(now_ms - self._at_ms, 0) * self._per_ms)
        self._at_ms = now_ms
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
