"""Contents of files -> SDS secrets: a CA, a certificate with its key, a credential for a header.

A secret is a resource of its own, so a file that was renewed reaches the proxies without touching a cluster, and no
cluster ever holds a key. What a file holds is checked here, because Envoy would answer a bad one with a rejection of
the proxy's every later secret. No content is ever part of an error or a repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from controlplane.snapshot.errors import SecretFileError
from controlplane.snapshot.resource import SECRET, Resource, resource
from controlplane.snapshot.wire import encoded
from serinus.envoywire import core_pb2, tls_pb2

# Envoy takes 60 KiB of headers for a request; a credential of a tenth of that is no credential.
CREDENTIAL_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class CaSecret:
    """Whom the proxies trust."""

    name: str
    file: str


@dataclass(frozen=True, slots=True)
class CertificateSecret:
    """Who the proxies are."""

    name: str
    cert: str
    key: str


@dataclass(frozen=True, slots=True)
class CredentialSecret:
    """The whole value of a header: `prefix` and what the file holds."""

    name: str
    file: str
    prefix: str


SecretInput = CaSecret | CertificateSecret | CredentialSecret


def build_secret(item: SecretInput, files: Mapping[str, bytes]) -> Resource:
    """The secret, encoded. Raises SecretFileError for a file that is not there or does not hold what it should."""
    match item:
        case CaSecret():
            body = tls_pb2.Secret(
                name=item.name,
                validation_context=tls_pb2.CertificateValidationContext(trusted_ca=_inline(_ca(item, files))),
            )
        case CertificateSecret():
            cert, key = _certificate(item, files)
            body = tls_pb2.Secret(
                name=item.name,
                tls_certificate=tls_pb2.TlsCertificate(certificate_chain=_inline(cert), private_key=_inline(key)),
            )
        case CredentialSecret():
            body = tls_pb2.Secret(
                name=item.name, generic_secret=tls_pb2.GenericSecret(secret=_inline(_credential(item, files)))
            )
    return resource(item.name, SECRET, encoded(body))


def files_of(item: SecretInput) -> frozenset[str]:
    """The files that it is made of."""
    return frozenset((item.cert, item.key) if isinstance(item, CertificateSecret) else (item.file,))


def _inline(content: bytes) -> core_pb2.DataSource:
    return core_pb2.DataSource(inline_bytes=content)


def _content(secret: str, file: str, files: Mapping[str, bytes]) -> bytes:
    if file not in files:
        raise SecretFileError(secret, file, "is not there", "put it into the secrets directory")
    return files[file]


def _ca(item: CaSecret, files: Mapping[str, bytes]) -> bytes:
    content = _content(item.name, item.file, files)
    _certificates(item.name, item.file, content)
    return content


def _certificates(secret: str, file: str, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise SecretFileError(secret, file, "holds no PEM certificate", "put one there") from None


def _certificate(item: CertificateSecret, files: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    cert = _content(item.name, item.cert, files)
    key = _content(item.name, item.key, files)
    leaf = _certificates(item.name, item.cert, cert)[0]
    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SecretFileError(
            item.name, item.key, "holds no unencrypted PEM private key", f"give the key of {item.cert}"
        ) from None
    if private.public_key() != leaf.public_key():
        raise SecretFileError(
            item.name, item.key, f"is not the key of {item.cert}", "replace both; until then the old pair is served"
        )
    return cert, key


def _credential(item: CredentialSecret, files: Mapping[str, bytes]) -> bytes:
    """White space at the ends goes: editors end files with a newline, and a header value with one is an attack."""
    content = _content(item.name, item.file, files).strip()
    if not content:
        raise SecretFileError(item.name, item.file, "is empty", "put the credential there")
    if len(content) > CREDENTIAL_BYTES_MAX:
        message = f"is longer than {CREDENTIAL_BYTES_MAX} bytes"
        raise SecretFileError(item.name, item.file, message, "put the credential alone there")
    if any(not 0x20 <= byte < 0x7F for byte in content):
        message = "holds bytes that no header may have (only printable ASCII may stand there)"
        raise SecretFileError(item.name, item.file, message, "put the credential alone there, on one line")
    return item.prefix.encode() + content
