"""The credentials of a gRPC server that lets in only clients with a certificate of its CA (mutual TLS)."""

import grpc

from controlplane.clock import SystemClock
from controlplane.security.client import read_tls
from controlplane.settings import TlsFiles


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """For `server.add_secure_port`. A client without a certificate of `files.ca` never reaches a handler.

    Raises TlsFilesError.
    """
    material = read_tls(files, now_ms=SystemClock().now_ms())
    return grpc.ssl_server_credentials(
        [(material.key_pem, material.cert_pem)], root_certificates=material.ca_pem, require_client_auth=True
    )
