"""Processes of this machine: who listens on a port, and what it and its children use. By psutil; it starts none.

What may not be seen (another user's process), or has just ended, is no data. psutil counts the network by machine, not
by process: what is told of a process are its open connections.
"""

from collections.abc import Collection, Iterator

import psutil

from controlplane.signals.signal import Reading, Signal

_GONE = (psutil.Error, OSError)


def readings(ports: Collection[int]) -> dict[int, Reading]:
    """Of the processes that listen on these ports, by port. Takes some milliseconds: not for an event loop."""
    found: dict[int, Reading] = {}
    for port, pid in _listening(ports).items():
        try:
            reading = _reading(psutil.Process(pid))
        except _GONE:
            continue
        found[port] = reading
    return found


def _listening(ports: Collection[int]) -> dict[int, int]:
    """The process of each port that could be found."""
    try:
        sockets = psutil.net_connections(kind="tcp") if ports else []
    except _GONE:
        return {}
    return {
        one.laddr.port: one.pid
        for one in sockets
        if one.status == psutil.CONN_LISTEN and one.pid is not None and one.laddr.port in ports
    }


def _reading(process: psutil.Process) -> Reading:
    """Of the process and its children: servers do their work in either."""
    whole: dict[Signal, float] = {}
    for one in (process, *process.children(recursive=True)):
        for signal, value in _parts(one):
            whole[signal] = whole.get(signal, 0.0) + value
    return whole


def _parts(process: psutil.Process) -> Iterator[tuple[Signal, float]]:
    try:
        with process.oneshot():
            times = process.cpu_times()
            yield Signal.CPU_SECONDS, times.user + times.system
            yield Signal.MEMORY, float(process.memory_info().rss)
        counters = process.io_counters()
        yield Signal.DISK_READ, float(counters.read_bytes)
        yield Signal.DISK_WRITTEN, float(counters.write_bytes)
        established = [one for one in process.net_connections(kind="tcp") if one.status == psutil.CONN_ESTABLISHED]
        yield Signal.CONNECTIONS, float(len(established))
    except (*_GONE, AttributeError):
        # io_counters is not there on every system; what was told so far stands.
        return
