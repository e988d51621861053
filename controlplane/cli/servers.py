"""What model servers say of themselves, as one line of the screen and as a table. Pure; what nobody said is a dash."""

from collections.abc import Callable, Iterable

from serinus.v1 import admin_pb2

_MIB = 1024 * 1024
HEADERS = [
    "SERVERS OF",
    "ANSWER",
    "KV CACHE",
    "QUEUE",
    "RUNNING",
    "GPU",
    "GPU MEM",
    "PREEMPT",
    "CPU",
    "MEMORY",
    "GROWS",
]


def servers_line(views: Iterable[admin_pb2.ServersView]) -> str:
    """ "servers  v1 kv 41% wait 0 run 3 | v2 full: kv 98% wait 72 run 24". No answer is "no data"."""
    parts = [f"{view.version} {_brief(view)}" for view in views if view.sources]
    return f"servers  {' | '.join(parts)}" if parts else ""


def _brief(view: admin_pb2.ServersView) -> str:
    if not view.answering:
        return "no data"
    words = [
        f"{name} {text}"
        for name, text in (
            ("kv", _said(view, "kv_cache_used_ratio", _percent)),
            ("wait", _said(view, "queue_depth", _whole)),
            ("run", _said(view, "running_requests", _whole)),
            ("gpu", _said(view, "gpu_utilisation_ratio", _percent)),
            ("cpu", _said(view, "cpu_cores", _cores)),
            ("mem", _said(view, "resident_memory_bytes", _size)),
        )
        if text != "-"
    ]
    return " ".join(["full:"] * view.full + words) or "no data"  # first, for the line is cut at its end


def server_row(view: admin_pb2.ServersView) -> list[str]:
    """Below HEADERS."""
    growth = _said(view, "memory_growth_per_second", lambda value: f"{value * 3600 / _MIB:+.0f} MB/h")
    return [
        view.version + (" (full)" if view.full else ""),
        f"{view.answering} of {view.sources}",
        _said(view, "kv_cache_used_ratio", _percent),
        _said(view, "queue_depth", _whole),
        _said(view, "running_requests", _whole),
        _said(view, "gpu_utilisation_ratio", _percent),
        _gpu_memory(view),
        _said(view, "preemptions", _whole),
        _said(view, "cpu_cores", _cores),
        _said(view, "resident_memory_bytes", _size),
        f"{growth} (steady)" if view.leaks else growth,
    ]


LOG_HEADERS = ["LOGS OF", "PATTERN", "LINES", "IN 5 MINUTES"]


def log_rows(views: Iterable[admin_pb2.ServersView]) -> list[list[str]]:
    """Below LOG_HEADERS; sources that are not followed are rows too."""
    rows = []
    for view in views:
        rows += [[view.version, each.pattern, f"{each.lines:,}", f"{each.lately:,}"] for each in view.logs]
        rows += [[view.version, f"not followed: {fault}", "-", "-"] for fault in view.log_faults]
    return rows


def _said(view: admin_pb2.ServersView, name: str, words: Callable[[float], str]) -> str:
    return words(getattr(view, name)) if view.answering and view.HasField(name) else "-"


def _gpu_memory(view: admin_pb2.ServersView) -> str:
    used, whole = _said(view, "gpu_memory_used_bytes", _size), _said(view, "gpu_memory_bytes", _size)
    return used if whole == "-" else f"{used} of {whole}"


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _cores(value: float) -> str:
    return f"{value:.1f}"


def _size(value: float) -> str:
    return f"{value / _MIB:.0f} MB" if value < 10_000 * _MIB else f"{value / _MIB / 1024:.0f} GB"
