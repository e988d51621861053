"""The metrics of what model servers say of themselves, by version. Bounded: versions come from manifests.

A version's gauges leave when nothing was heard of its servers for half a minute: no line is better than an old one.
"""

from controlplane.telemetry.metric import Kind, Metric

_LABELS = ("service", "version")


def _of(name: str, help_: str) -> Metric:
    kind = Kind.COUNTER if name.endswith("_total") else Kind.GAUGE
    return Metric(f"serinus_server_{name}", kind, help_, _LABELS)


SERVER_SIGNALS = (
    _of("kv_cache_used_ratio", "KV cache in use, of the fullest server."),
    _of("queue_depth", "Requests that wait inside the servers."),
    _of("running_requests", "Requests that the servers work on."),
    _of("gpu_utilisation_ratio", "Busy share of the busiest GPU."),
    _of("gpu_memory_used_bytes", "GPU memory in use."),
    _of("gpu_memory_bytes", "GPU memory there is."),
    _of("resident_memory_bytes", "Memory of the server processes."),
    _of("connections", "Open connections of the server processes."),
    _of("preemptions_total", "Requests that a server put back for want of cache."),
    _of("cpu_seconds_total", "Processor time of the server processes."),
    _of("disk_read_bytes_total", "What the server processes read from disk."),
    _of("disk_written_bytes_total", "What the server processes wrote to disk."),
)
SERVER_SOURCES = Metric(
    "serinus_server_sources",
    Kind.GAUGE,
    "Servers and exporters whose metrics are read: answering, or silent.",
    (*_LABELS, "state"),
)
SERVER_MEMORY_GROWTH = Metric(
    "serinus_server_memory_growth_bytes_per_second",
    Kind.GAUGE,
    "Slope of the memory of the server that grows most, over an hour at most; steady: it looks like a leak.",
    (*_LABELS, "steady"),
)
SERVER_METRICS = (*SERVER_SIGNALS, SERVER_SOURCES, SERVER_MEMORY_GROWTH)
