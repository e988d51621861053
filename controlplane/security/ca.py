"""A laptop CA: one authority, and a certificate for each party: control plane, Envoy, sidecar, operator.

EC P-256, SHA-256, X.509 v3 (RFC 5280). Values in, PEM bytes out; time is an argument, the keys' randomness is the
`cryptography` package's. It is meant for one machine or a small fleet: no revocation, no intermediate; all
certificates end on one day and are issued anew together. A client's role stands in its SAN as `spiffe://serinus/ROLE`,
with the name of its person or node behind it where it is for one alone.
"""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controlplane.security.identity import spiffe_id

SERVER = "controlplane"
SIDECAR = "sidecar"
CLIENTS = ("envoy", "viewer", "operator", "admin")
ALWAYS_SERVED = ("localhost", "127.0.0.1", "::1")
# Clocks of one laptop's containers agree; a fleet's differ by seconds. Five minutes cover both.
_BACKDATE = datetime.timedelta(minutes=5)
_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its unencrypted PKCS#8 key, both PEM."""

    cert_pem: bytes
    key_pem: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA of which the key is at hand. `days` is the life of everything it issues."""

    cert: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    days: int

    @property
    def issued(self) -> Issued:
        """The CA itself, as PEM."""
        return Issued(self.cert.public_bytes(serialization.Encoding.PEM), _key_pem(self.key))


def make_authority(*, now_ms: int, days: int) -> Authority:
    """A new CA, valid `days` from `now_ms` (Unix time). It may sign leaves only (path length 0)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "serinus laptop CA")])
    cert = (
        _builder(name, key.public_key(), now_ms=now_ms, days=days)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(cert, key, days)


def issue_server(authority: Authority, *, hosts: Sequence[str], now_ms: int) -> Issued:
    """The control plane's certificate, for localhost, 127.0.0.1, ::1 and `hosts` (names or IP addresses)."""
    return _issue(authority, SERVER, _served(hosts), [ExtendedKeyUsageOID.SERVER_AUTH], now_ms=now_ms)


def load_authority(cert_pem: bytes, key_pem: bytes, *, now_ms: int) -> Authority:
    """A CA that was made before; what it issues ends with it. Raises ValueError for what is none, or has ended."""
    key = serialization.load_pem_private_key(key_pem, password=None)
    cert = x509.load_pem_x509_certificate(cert_pem)
    left = int(days_left(cert_pem, now_ms=now_ms))
    if not isinstance(key, ec.EllipticCurvePrivateKey) or cert.public_key() != key.public_key() or left < 1:
        raise ValueError("not a CA and its key, or it ends within a day")
    return Authority(cert, key, left)


def issue_client(authority: Authority, role: str, *, now_ms: int, name: str = "") -> Issued:
    """A client certificate whose SAN is `spiffe://serinus/<role>`, or `spiffe://serinus/<role>/<name>`."""
    return _issue(authority, role, _role(role, name), [ExtendedKeyUsageOID.CLIENT_AUTH], now_ms=now_ms)


def issue_sidecar(authority: Authority, *, now_ms: int, name: str = "") -> Issued:
    """The sidecar's: a client of the control plane, and a server of `/metrics` under the names of this machine."""
    names = [*_role(SIDECAR, name), *_served(())]
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    return _issue(authority, SIDECAR, names, usages, now_ms=now_ms)


def served_hosts(cert_pem: bytes) -> frozenset[str]:
    """The names and addresses a server certificate is for. Raises ValueError if it is no certificate."""
    cert = x509.load_pem_x509_certificate(cert_pem)
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    addresses = (str(address) for address in names.get_values_for_type(x509.IPAddress))
    return frozenset((*names.get_values_for_type(x509.DNSName), *addresses))


def days_left(cert_pem: bytes, *, now_ms: int) -> float:
    """Days until a certificate ends; negative after that. Raises ValueError if it is no certificate."""
    end = x509.load_pem_x509_certificate(cert_pem).not_valid_after_utc
    return (end.timestamp() * 1000 - now_ms) / 86_400_000


def _issue(
    authority: Authority,
    name: str,
    sans: Sequence[x509.GeneralName],
    usages: Sequence[x509.ObjectIdentifier],
    *,
    now_ms: int,
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"serinus {name}")])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    cert = (
        _builder(subject, key.public_key(), now_ms=now_ms, days=authority.days)
        .issuer_name(authority.cert.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(sans), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Issued(cert.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def _builder(subject: x509.Name, key: ec.EllipticCurvePublicKey, *, now_ms: int, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.fromtimestamp(now_ms // 1000, tz=datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*wanted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in wanted for name in _KEY_USAGES})


def _role(role: str, name: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(spiffe_id(role, name))]


def _served(hosts: Sequence[str]) -> list[x509.GeneralName]:
    return [_general_name(host) for host in dict.fromkeys((*ALWAYS_SERVED, *hosts))]


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
