"""How a gRPC server of the control plane listens: its limits and pings, and whom it lets in (mutual TLS)."""

import logging
import threading

import grpc

from controlplane.clock import SystemClock
from controlplane.security.client import read_tls
from controlplane.security.errors import TlsFilesError
from controlplane.settings import TlsFiles

log = logging.getLogger("serinus.security")

# A batch of a busy sidecar is some hundred kilobytes (20,000 rows at most), an Envoy's largest request is below 4 MiB,
# past which `xds/wire.py` ends that stream with a reason.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
# One set for every server, in the product and in tests.
SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    # Two control planes on one port by mistake must be an error, not a coin toss (gRPC enables it by default).
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    # Responses are ours, and as large as the configuration.
    ("grpc.max_send_message_length", -1),
    # A peer that died without a word is found within 15 s. A ping costs some 10 us: 100 a second for 1,000 proxies.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # No estimate of bandwidth, which pings after every message that comes: a seventh of the CPU of a push to a thousand
    # proxies. What peers send us is small; 64 KiB may be on the way at a time.
    ("grpc.http2.bdp_probe", 0),
    # Calls that wait to be looked at. gRPC's own are 1,000 and 3,000, and between them it turns calls away by chance:
    # 400 of 3,000 proxies that reconnected at once were told CANCELLED. A waiting call is some 10 KB.
    ("grpc.server.max_pending_requests", 10_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
    # Sidecars and proxies ping idle streams too; without this gRPC answers "too many pings".
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)


def server_credentials(files: TlsFiles, *, is_mutual: bool = True) -> grpc.ServerCredentials:
    """For `server.add_secure_port`. A client without a certificate of `files.ca` never reaches a handler; unless
    `is_mutual` is False, then none is asked for. What lies in the files counts at each handshake, so that a renewed
    certificate needs no restart; files that are no good are told once, and those before them stay in force.

    Raises TlsFilesError if they are no good now.
    """
    source = Certificates(files)
    return grpc.dynamic_ssl_server_credentials(source.first, source.renewed, require_client_authentication=is_mutual)


class Certificates:
    """Three PEM files, read again when one of them has changed. gRPC asks at each handshake, from its own threads."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._stamp = self._stamps()
        self.first = self._read()

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """The new ones; None: nothing has changed, or what has is no good."""
        with self._lock:
            stamp = self._stamps()
            if stamp == self._stamp:
                return None
            self._stamp = stamp
            try:
                found = self._read()
            except TlsFilesError as error:
                # Between the writes of a pair too: the next handshake after the second finds both.
                log.warning("certificates before this stay in force: %s", error)
                return None
            log.info("certificates read again", extra={"fields": {"cert": str(self._files.cert)}})
            return found

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        found = []
        for path in (self._files.ca, self._files.cert, self._files.key):
            try:
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_ino))
            except OSError:
                found.append((0, 0))
        return tuple(found)

    def _read(self) -> grpc.ServerCertificateConfiguration:
        material = read_tls(self._files, now_ms=SystemClock().now_ms())
        pair = (material.key_pem, material.cert_pem)
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=material.ca_pem)
