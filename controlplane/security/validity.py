"""Until when a certificate is good, for connections that outlive it. Pure."""

from functools import lru_cache

from cryptography import x509

from controlplane.security.errors import UnauthenticatedError


@lru_cache(1_024)
def _end_ms(cert_pem: bytes) -> int | None:
    """None: not a certificate that can be read here; TLS has taken it, so nothing is held against it."""
    try:
        return int(x509.load_pem_x509_certificate(cert_pem).not_valid_after_utc.timestamp() * 1_000)
    except ValueError:
        return None


def check_running(cert_pem: bytes, *, now_ms: int) -> None:
    """Raises UnauthenticatedError for one that has ended."""
    end_ms = _end_ms(cert_pem)
    if end_ms is not None and end_ms <= now_ms:
        raise UnauthenticatedError("the certificate has ended", next_step="connect anew with a renewed one")
