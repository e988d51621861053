"""Where the transport listens: the Unix socket beside Envoy, or TCP for tests and for an Envoy elsewhere."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerTls:
    """PEM files. With `client_ca` every client must show a certificate of that authority (mTLS)."""

    cert: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class TcpEndpoint:
    """Port 0 takes any free one."""

    host: str
    port: int
    tls: ServerTls | None = None


Endpoint = Path | TcpEndpoint
