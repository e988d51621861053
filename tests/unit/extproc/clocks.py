"""A clock that tests move by hand."""


class ManualClock:
    def __init__(self, now_ms: int = 1_700_000_001_000) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms

    def now_us(self) -> int:
        return self.ms * 1_000

    def epoch_ns(self) -> int:
        return self.ms * 1_000_000
