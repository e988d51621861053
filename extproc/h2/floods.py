"""Counts of what costs us more than the peer, per interval (CVE-2019-9511 to -9518, CVE-2023-44487, CVE-2025-8671).

Time is an argument. Within one interval a connection may do each thing as often as `Limits` says; then it is told to
calm down and let go.
"""

from enum import IntEnum

from extproc.h2.errors import ConnectionFault, ErrorCode
from extproc.h2.limits import FLOOD_INTERVAL_S, Limits


class Flood(IntEnum):
    """What is counted: each is cheap for the peer and none is needed often."""

    PING = 0
    SETTINGS = 1
    EMPTY_DATA = 2
    PREMATURE_RESET = 3
    IDLE_FRAME = 4


class FloodGuard:
    """Mutable; one per connection."""

    __slots__ = ("_bounds", "_left", "until_s")

    def __init__(self, limits: Limits) -> None:
        self._bounds = (
            limits.pings_max,
            limits.settings_max,
            limits.empty_data_max,
            limits.premature_resets_max,
            limits.idle_frames_max,
        )
        self._left = list(self._bounds)
        self.until_s = 0.0

    def refill(self, now_s: float) -> None:
        """A new interval starts. Call it when `until_s` has come."""
        self.until_s = now_s + FLOOD_INTERVAL_S
        self._left = list(self._bounds)

    def count(self, flood: Flood) -> None:
        """Raises ConnectionFault when it was once too often."""
        self._left[flood] -= 1
        if self._left[flood] < 0:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"too many of {flood.name.lower()}")
