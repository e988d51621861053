"""What model servers say of themselves -> `serinus.v1.Admin`, for people beside the evidence. No I/O; it decides
nothing."""

from collections.abc import Iterable

from controlplane.manifest.version import Version
from controlplane.signals.book import SignalBook, VersionSignals
from controlplane.signals.logs.book import VersionLogs
from controlplane.signals.signal import Signal
from serinus.v1 import admin_pb2

ENDPOINTS_SHOWN = 100
_FIELDS = {
    Signal.KV_CACHE: "kv_cache_used_ratio",
    Signal.QUEUE: "queue_depth",
    Signal.RUNNING: "running_requests",
    Signal.GPU: "gpu_utilisation_ratio",
    Signal.GPU_MEMORY_USED: "gpu_memory_used_bytes",
    Signal.GPU_MEMORY: "gpu_memory_bytes",
    Signal.PREEMPTIONS: "preemptions",
    Signal.MEMORY: "resident_memory_bytes",
    Signal.DISK_READ: "disk_read_bytes",
    Signal.DISK_WRITTEN: "disk_written_bytes",
    Signal.CONNECTIONS: "connections",
}
_MIB = 1024 * 1024


def servers_views(
    service: str, versions: Iterable[Version], book: SignalBook, now_ms: int
) -> list[admin_pb2.ServersView]:
    """Of each version, in their order."""
    return [
        _with_logs(_view(version, book.of(service, version.name, now_ms)), book.logs.of(service, version.name, now_ms))
        for version in versions
    ]


def _with_logs(view: admin_pb2.ServersView, seen: VersionLogs) -> admin_pb2.ServersView:
    view.log_sources = seen.sources
    view.log_faults.extend(seen.faults)
    view.logs.extend(
        admin_pb2.LogPatternView(pattern=name, lines=lines, lately=seen.lately[name])
        for name, lines in sorted(seen.lines.items())
    )
    return view


def probe_views(service: str, book: SignalBook, now_ms: int) -> list[admin_pb2.ProbeView]:
    """What the service leans on, in the manifest's order."""
    return [
        admin_pb2.ProbeView(
            name=one.probe.name,
            target=one.probe.url or str(one.probe.tcp),
            state=one.state,
            since_ms=one.since_ms,
            fault=one.fault,
            seconds=one.seconds,
            holds=one.probe.hold,
        )
        for one in book.probes.of(service, now_ms)
    ]


def leak_sentences(views: Iterable[admin_pb2.ServersView]) -> list[str]:
    """Of each version whose memory grows like a leak."""
    return [_leak_words(view) for view in views if view.leaks]


def _leak_words(view: admin_pb2.ServersView) -> str:
    growth = view.memory_growth_per_second * 3600 / _MIB
    return f"the memory of a server of {view.version} grows by {growth:.0f} MB an hour, and goes on: a leak?"


def _view(version: Version, seen: VersionSignals) -> admin_pb2.ServersView:
    view = admin_pb2.ServersView(
        version=version.name,
        endpoints=[str(endpoint) for endpoint in version.servers[:ENDPOINTS_SHOWN]],
        in_clear=version.tls is None and version.auth is None,
        sources=seen.sources,
        answering=seen.answering,
        full=seen.is_full,
    )
    for signal, value in seen.reading.items():
        if name := _FIELDS.get(signal):
            setattr(view, name, value)
    if seen.cpu_cores is not None:
        view.cpu_cores = seen.cpu_cores
    if seen.growth is not None:
        view.memory_growth_per_second, view.leaks = seen.growth.slope, seen.growth.is_steady
    return view
