"""Where the workers of one sidecar listen: Envoy's bootstrap and the sidecar must say the same.

One worker has the socket itself. Of several each has its own, since an HTTP/2 connection stays with the process that
accepted it, and two of Envoy's could share a worker while another idles. The first also gets what must come together
in one process: log entries, and the observed responses that belong to them.
"""

# Tags cost a tenth of what Envoy spends on a request: a sidecar of 32 is beside an Envoy of hundreds of cores.
WORKERS_MAX = 32


def worker_sockets(socket: str, workers: int) -> tuple[str, ...]:
    """`/run/s.sock`, or `/run/s.sock.0`, `/run/s.sock.1`, …"""
    if not 1 <= workers <= WORKERS_MAX:
        raise ValueError(f"{workers} workers; next: 1 to {WORKERS_MAX}")
    return (socket,) if workers == 1 else tuple(f"{socket}.{index}" for index in range(workers))
