"""Reads a party's TLS files, and the credentials of a gRPC client that shows its certificate (mutual TLS).

A channel keeps the certificate that it began with; whoever opens one for each connection has the newest.
"""

from pathlib import Path

import grpc

from controlplane.clock import SystemClock
from controlplane.security.errors import TlsFilesError
from controlplane.security.pem import TlsMaterial, check_material
from controlplane.settings import TlsFiles


def read_tls(files: TlsFiles, *, now_ms: int) -> TlsMaterial:
    """The three files, checked. Raises TlsFilesError naming the flag, the path and the next step."""
    material = TlsMaterial(
        ca_pem=_read("--tls-ca", files.ca),
        cert_pem=_read("--tls-cert", files.cert),
        key_pem=_read("--tls-key", files.key),
    )
    check_material(material, files, now_ms=now_ms)
    return material


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """For `grpc.aio.secure_channel`. The server's name is checked against its certificate. Raises TlsFilesError."""
    material = read_tls(files, now_ms=SystemClock().now_ms())
    return grpc.ssl_channel_credentials(
        root_certificates=material.ca_pem, private_key=material.key_pem, certificate_chain=material.cert_pem
    )


def server_only_credentials(ca: Path) -> grpc.ChannelCredentials:
    """For a caller that shows a token in the place of a certificate. Raises TlsFilesError."""
    return grpc.ssl_channel_credentials(root_certificates=_read("--tls-ca", ca))


def _read(flag: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsFilesError(
            f"{flag} {path} cannot be read: {error.strerror or error}",
            next_step="check the path and who may read it; `serinus certs init` makes a set of files",
        ) from None
