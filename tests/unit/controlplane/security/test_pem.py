"""Each wrong TLS file is named with its flag, its path and the next step, before any handshake."""

from pathlib import Path

import pytest

from controlplane.security.ca import issue_client, issue_server, make_authority
from controlplane.security.client import read_tls
from controlplane.security.errors import TlsFilesError
from controlplane.settings import TlsFiles

NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    authority = make_authority(now_ms=NOW_MS, days=90)
    server = issue_server(authority, hosts=[], now_ms=NOW_MS)
    found = TlsFiles(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")
    found.ca.write_bytes(authority.issued.cert_pem)
    found.cert.write_bytes(server.cert_pem)
    found.key.write_bytes(server.key_pem)
    return found


def test_the_key_does_not_show_in_a_repr(files: TlsFiles) -> None:
    assert repr(read_tls(files, now_ms=NOW_MS)) == "TlsMaterial(…)"


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
def test_a_missing_file_is_named(files: TlsFiles, name: str) -> None:
    path: Path = getattr(files, name)
    path.unlink()
    with pytest.raises(TlsFilesError, match=f"^--tls-{name} {path} cannot be read: No such file or directory; next: "):
        read_tls(files, now_ms=NOW_MS)


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
def test_a_directory_in_place_of_a_file_is_named(files: TlsFiles, name: str) -> None:
    path: Path = getattr(files, name)
    path.unlink()
    path.mkdir()
    with pytest.raises(TlsFilesError, match=f"^--tls-{name} {path} cannot be read: Is a directory; next: "):
        read_tls(files, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ca", "holds no PEM certificate"),
        ("cert", "holds no PEM certificate"),
        ("key", "holds no unencrypted PEM private key"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_that_holds_something_else_is_named(files: TlsFiles, name: str, says: str, content: bytes) -> None:
    path: Path = getattr(files, name)
    path.write_bytes(content)
    with pytest.raises(TlsFilesError, match=f"^--tls-{name} {path} {says}; next: "):
        read_tls(files, now_ms=NOW_MS)


def test_swapped_flags_are_named(files: TlsFiles) -> None:
    with pytest.raises(TlsFilesError, match=r"^--tls-cert .*key\.pem holds no PEM certificate"):
        read_tls(TlsFiles(files.ca, files.key, files.cert), now_ms=NOW_MS)


def test_the_key_of_another_certificate_is_refused(files: TlsFiles) -> None:
    other = issue_client(make_authority(now_ms=NOW_MS, days=90), "envoy", now_ms=NOW_MS)
    files.key.write_bytes(other.key_pem)
    with pytest.raises(TlsFilesError, match=r"^--tls-key .*key\.pem is not the key of --tls-cert .*cert\.pem; next: "):
        read_tls(files, now_ms=NOW_MS)


def test_an_ended_certificate_is_refused_with_its_day(files: TlsFiles) -> None:
    with pytest.raises(TlsFilesError, match=r"ended on 2027-04-15 .* UTC; next: issue a new one"):
        read_tls(files, now_ms=NOW_MS + 91 * DAY_MS)


def test_a_certificate_of_the_future_is_refused_with_its_day(files: TlsFiles) -> None:
    with pytest.raises(TlsFilesError, match=r"begins on 2027-01-15 .* UTC; next: "):
        read_tls(files, now_ms=NOW_MS - DAY_MS)
