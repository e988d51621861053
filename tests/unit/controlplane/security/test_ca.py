"""The laptop CA: what it issues verifies for its purpose, for its names, for its days, and for nothing else."""

import datetime
import ipaddress
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from controlplane.security import ca
from tests.skips import skip

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
AUTHORITY = ca.make_authority(now_ms=NOW_MS, days=90)
SERVER = ca.issue_server(AUTHORITY, hosts=["controlplane", "10.0.0.7", "localhost"], now_ms=NOW_MS)


def policy(authority: ca.Authority, at_ms: int) -> PolicyBuilder:
    at = datetime.datetime.fromtimestamp(at_ms / 1000, tz=datetime.UTC)
    return PolicyBuilder().store(Store([authority.cert])).time(at)


def verify_server(name: x509.DNSName | x509.IPAddress, at_ms: int, authority: ca.Authority = AUTHORITY) -> None:
    cert = x509.load_pem_x509_certificate(SERVER.cert_pem)
    policy(authority, at_ms).build_server_verifier(name).verify(cert, [])


def test_the_server_certificate_is_good_for_localhost_both_loopbacks_and_the_given_hosts() -> None:
    for name in ("localhost", "controlplane"):
        verify_server(x509.DNSName(name), NOW_MS)
    for address in ("127.0.0.1", "::1", "10.0.0.7"):
        verify_server(x509.IPAddress(ipaddress.ip_address(address)), NOW_MS)
    assert ca.served_hosts(SERVER.cert_pem) == {"localhost", "127.0.0.1", "::1", "controlplane", "10.0.0.7"}


def test_the_server_certificate_is_good_for_no_other_host() -> None:
    with pytest.raises(VerificationError):
        verify_server(x509.DNSName("other"), NOW_MS)


def test_another_ca_does_not_verify_it() -> None:
    with pytest.raises(VerificationError):
        verify_server(x509.DNSName("localhost"), NOW_MS, ca.make_authority(now_ms=NOW_MS, days=90))


def test_everything_ends_after_its_days_and_a_clock_five_minutes_behind_is_forgiven() -> None:
    verify_server(x509.DNSName("localhost"), NOW_MS - 5 * 60_000)
    verify_server(x509.DNSName("localhost"), NOW_MS + 90 * DAY_MS)
    for at_ms in (NOW_MS - 6 * 60_000, NOW_MS + 90 * DAY_MS + 1000):
        with pytest.raises(VerificationError):
            verify_server(x509.DNSName("localhost"), at_ms)
    assert ca.days_left(SERVER.cert_pem, now_ms=NOW_MS + 80 * DAY_MS) == pytest.approx(10)
    assert ca.days_left(SERVER.cert_pem, now_ms=NOW_MS + 91 * DAY_MS) < 0


@pytest.mark.parametrize("role", ca.CLIENTS)
def test_a_client_certificate_names_its_role_and_cannot_serve(role: str) -> None:
    cert = x509.load_pem_x509_certificate(ca.issue_client(AUTHORITY, role, now_ms=NOW_MS).cert_pem)
    verified = policy(AUTHORITY, NOW_MS).build_client_verifier().verify(cert, [])
    assert verified.subjects == [x509.UniformResourceIdentifier(f"spiffe://serinus/{role}")]
    with pytest.raises(VerificationError):
        policy(AUTHORITY, NOW_MS).build_server_verifier(x509.DNSName("localhost")).verify(cert, [])


def test_the_sidecar_is_a_client_and_serves_its_metrics_under_the_names_of_its_machine() -> None:
    cert = x509.load_pem_x509_certificate(ca.issue_sidecar(AUTHORITY, now_ms=NOW_MS).cert_pem)
    verified = policy(AUTHORITY, NOW_MS).build_client_verifier().verify(cert, [])
    assert x509.UniformResourceIdentifier("spiffe://serinus/sidecar") in (verified.subjects or [])
    policy(AUTHORITY, NOW_MS).build_server_verifier(x509.DNSName("localhost")).verify(cert, [])
    with pytest.raises(VerificationError):
        policy(AUTHORITY, NOW_MS).build_server_verifier(x509.DNSName("controlplane")).verify(cert, [])


def test_each_certificate_has_its_own_key_and_serial() -> None:
    first, second = (ca.issue_client(AUTHORITY, "envoy", now_ms=NOW_MS) for _ in range(2))
    certs = [x509.load_pem_x509_certificate(issued.cert_pem) for issued in (first, second)]
    assert certs[0].serial_number != certs[1].serial_number
    assert certs[0].public_key() != certs[1].public_key()
    assert load_pem_private_key(first.key_pem, None).public_key() == certs[0].public_key()


def test_what_is_no_certificate_raises() -> None:
    with pytest.raises(ValueError, match="PEM"):
        ca.days_left(b"not a certificate", now_ms=NOW_MS)


def test_a_certificate_without_names_serves_no_host() -> None:
    assert ca.served_hosts(AUTHORITY.issued.cert_pem) == frozenset()


def test_openssl_agrees_in_strict_mode(tmp_path: Path) -> None:
    """A second implementation reads what ours wrote (RFC 5280 rules with `-x509_strict`)."""
    if shutil.which("openssl") is None:
        skip("openssl is not installed", next_step="install the package openssl")
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.issued.cert_pem)
    (tmp_path / "server.pem").write_bytes(SERVER.cert_pem)
    (tmp_path / "client.pem").write_bytes(ca.issue_client(AUTHORITY, "envoy", now_ms=NOW_MS).cert_pem)
    at = ["openssl", "verify", "-attime", str(NOW_MS // 1000), "-x509_strict", "-CAfile", str(tmp_path / "ca.pem")]
    good = [
        ["-purpose", "sslserver", "-verify_hostname", "controlplane", "server.pem"],
        ["-purpose", "sslserver", "-verify_ip", "127.0.0.1", "server.pem"],
        ["-purpose", "sslclient", "client.pem"],
    ]
    bad = [["-purpose", "sslclient", "server.pem"], ["-purpose", "sslserver", "client.pem"]]
    answers = [subprocess.run([*at, *args], cwd=tmp_path, capture_output=True, check=False) for args in good + bad]
    assert [answer.returncode == 0 for answer in answers] == [True, True, True, False, False]
