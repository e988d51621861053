"""What the three PEM files of one TLS party hold, and whether they can work together. Pure: bytes and a time in.

It checks what a handshake would only answer with "handshake failed": that each file holds what its flag says, that
the key belongs to the certificate, and that the certificate is valid now. It does not build the chain: the CA here
verifies the *peer*, whose issuer may differ from ours.
"""

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from controlplane.security.errors import TlsFilesError
from controlplane.settings import TlsFiles

_RENEW = "issue a new one (`serinus certs init --renew`), or correct this machine's clock"


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """The contents of `settings.TlsFiles`, PEM: the CA that verifies the peer, our certificate, its key."""

    ca_pem: bytes
    cert_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        return "TlsMaterial(…)"  # a key must not reach a log by way of a repr


def check_material(material: TlsMaterial, files: TlsFiles, *, now_ms: int) -> None:
    """Raises TlsFilesError if the files cannot serve as one party's CA, certificate and key at `now_ms`."""
    _certificates(material.ca_pem, f"--tls-ca {files.ca}")
    cert = _certificates(material.cert_pem, f"--tls-cert {files.cert}")[0]
    try:
        key = load_pem_private_key(material.key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise TlsFilesError(
            f"--tls-key {files.key} holds no unencrypted PEM private key", next_step="give the key of --tls-cert"
        ) from None
    if key.public_key() != cert.public_key():
        raise TlsFilesError(
            f"--tls-key {files.key} is not the key of --tls-cert {files.cert}", next_step="give the pair of one party"
        )
    now = datetime.datetime.fromtimestamp(now_ms / 1000, tz=datetime.UTC)
    if now > cert.not_valid_after_utc:
        raise TlsFilesError(
            f"--tls-cert {files.cert} ended on {cert.not_valid_after_utc:%Y-%m-%d %H:%M} UTC", next_step=_RENEW
        )
    if now < cert.not_valid_before_utc:
        raise TlsFilesError(
            f"--tls-cert {files.cert} begins on {cert.not_valid_before_utc:%Y-%m-%d %H:%M} UTC", next_step=_RENEW
        )


def _certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise TlsFilesError(f"{what} holds no PEM certificate", next_step="give a file made by your CA") from None
