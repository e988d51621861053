"""What a model server says of itself, in the few words that we use. Pure.

A server's own numbers explain what its users met ("add servers" or "the model is slow"); they are never evidence for or
against a version: two servers of one version differ by more than many versions do.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Signal(StrEnum):
    """By its metric's name, without `serinus_server_`; the unit stands at the end."""

    KV_CACHE = "kv_cache_used_ratio"
    QUEUE = "queue_depth"
    RUNNING = "running_requests"
    GPU = "gpu_utilisation_ratio"
    GPU_MEMORY_USED = "gpu_memory_used_bytes"
    GPU_MEMORY = "gpu_memory_bytes"
    MEMORY = "resident_memory_bytes"
    CONNECTIONS = "connections"
    PREEMPTIONS = "preemptions_total"
    CPU_SECONDS = "cpu_seconds_total"
    DISK_READ = "disk_read_bytes_total"
    DISK_WRITTEN = "disk_written_bytes_total"

    @property
    def is_counter(self) -> bool:
        return self.value.endswith("_total")

    @property
    def is_ratio(self) -> bool:
        return self.value.endswith("_ratio")


Reading = Mapping[Signal, float]
# Rounding may put a full cache a little above one; what is beyond it is not a share, whatever its name.
_RATIO_MAX = 1.005


def is_sound(signal: Signal, value: float) -> bool:
    """Whether it can be true: finite and not negative, a share at most one."""
    return 0.0 <= value < float("inf") and (not signal.is_ratio or value <= _RATIO_MAX)


def merged(readings: Iterable[Reading]) -> dict[Signal, float]:
    """Several servers (or GPUs) as one: shares by the fullest, all else summed."""
    whole: dict[Signal, float] = {}
    for reading in readings:
        for signal, value in reading.items():
            before = whole.get(signal)
            if before is None:
                whole[signal] = value
            else:
                whole[signal] = max(before, value) if signal.is_ratio else before + value
    return whole
