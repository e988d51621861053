"""When a child process that ended by itself is started again, and when it is given up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """`restarts_max` ends within `window_ms` are answered by a restart each, with a doubling pause; one more gives up.

    A process that dies of its input or its machine dies within seconds of every start: five tries within a minute tell
    that apart from one bad moment, and end before a log has filled. A process that lived for a whole window starts
    over at the smallest pause, so one crash an hour never adds up.
    """

    restarts_max: int = 5
    window_ms: int = 60_000
    pause_ms_min: int = 200  # shorter than a health check (0.5 s): a crash costs one interval, not two
    pause_ms_max: int = 3_200  # 200 ms doubled four times: what five restarts reach


def pause_before_restart_ms(policy: RestartPolicy, ended_at_ms: Sequence[int], now_ms: int) -> int | None:
    """The pause before the next start, or None to give up. `ended_at_ms`: all unexpected ends, this one included."""
    recent = sum(now_ms - at_ms < policy.window_ms for at_ms in ended_at_ms)
    if recent > policy.restarts_max:
        return None
    return min(policy.pause_ms_max, policy.pause_ms_min << max(0, recent - 1))
