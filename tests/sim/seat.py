"""Where a control plane runs: its clock, how long it has stood still, whether it leads."""

from tests.sim.disk import LEASE_MS
from tests.sim.plane import Plane
from tests.sim.weather import Weather

# A stall may be longer than the lease and its grace: then another leads when it wakes up.
STALL_S_MAX = 9
JUMP_MS = 4_000


class Seat:
    def __init__(self, number: int, weather: Weather) -> None:
        self.number, self._weather = number, weather
        self.plane: Plane | None = None
        self.term: int | None = None
        self._skew_ms = self._stalled_s = 0

    def now_ms(self, at_ms: int) -> int:
        """By its own clock."""
        return at_ms + self._skew_ms

    @property
    def is_stalled(self) -> bool:
        return self._stalled_s > 0

    @property
    def is_ready(self) -> bool:
        """Whether it answers a proxy that connects."""
        return self.plane is not None and not self.is_stalled

    def change(self, *, is_calm: bool, is_followed: bool) -> None:
        """The faults of a second. `is_followed`: another leads now."""
        random = self._weather.random
        if self._stalled_s > 0:
            self._stalled_s -= 1
            if self._stalled_s == 0 and self.plane is not None and is_followed:
                self._weather.met["twin leaders"] += 1
        elif (
            not is_calm and self.plane is not None and self._weather.comes(self._weather.stall_share, "leader stalled")
        ):
            self._stalled_s = random.randint(1, STALL_S_MAX)
        if is_calm:
            self._skew_ms, self._stalled_s = 0, min(self._stalled_s, LEASE_MS // 1_000)
        elif random.random() < self._weather.jump_share:
            before_ms, self._skew_ms = self._skew_ms, random.randint(-JUMP_MS, JUMP_MS)
            self._weather.met["plane clock back" if self._skew_ms < before_ms else "plane clock ahead"] += 1
