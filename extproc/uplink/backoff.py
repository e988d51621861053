"""How long to wait before the next try: doubling with full jitter, so that a fleet does not come back in step."""

# Fast enough to be back within a control plane's restart; 5 s keeps 10,000 sidecars under 2,000 tries a second.
BASE_MS = 100
MAX_MS = 5_000


class Backoff:
    """Mutable. `wait_ms` after each failure, `reset` after something worked."""

    def __init__(self) -> None:
        self._ceiling_ms = BASE_MS

    def wait_ms(self, uniform: float) -> int:
        """The next wait, `BASE_MS` to a ceiling that doubles up to `MAX_MS`; `uniform` is a random number in [0, 1)."""
        wait_ms = BASE_MS + int(uniform * (self._ceiling_ms - BASE_MS))
        self._ceiling_ms = min(MAX_MS, self._ceiling_ms * 2)
        return wait_ms

    def reset(self) -> None:
        self._ceiling_ms = BASE_MS
