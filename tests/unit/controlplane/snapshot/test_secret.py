"""Secrets hold what the files hold, and say nothing of it."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls_v3

from controlplane.security.ca import issue_client, make_authority
from controlplane.snapshot.errors import SecretFileError
from controlplane.snapshot.resource import SECRET
from controlplane.snapshot.secret import (
    CREDENTIAL_BYTES_MAX,
    CaSecret,
    CertificateSecret,
    CredentialSecret,
    SecretInput,
    build_secret,
    files_of,
)

NOW_MS = 1_800_000_000_000
AUTHORITY = make_authority(now_ms=NOW_MS, days=1)
LEAF, OTHER = (issue_client(AUTHORITY, name, now_ms=NOW_MS) for name in ("one", "other"))
CA_PEM = AUTHORITY.issued.cert_pem

CA = CaSecret("chat/v1/ca", "ca.pem")
PAIR = CertificateSecret("chat/v1/certificate", "cert.pem", "key.pem")
TOKEN = CredentialSecret("chat/v1/credential", "token", "Bearer ")


def decoded(item: SecretInput, **files: bytes) -> tls_v3.Secret:
    resource = build_secret(item, {name.replace("_", "."): content for name, content in files.items()})
    assert (resource.name, resource.type_url) == (item.name, SECRET)
    return tls_v3.Secret.parse(resource.body)


def inline(content: bytes) -> core.DataSource:
    return core.DataSource(inline_bytes=content)


def test_a_ca_is_a_validation_context() -> None:
    assert decoded(CA, ca_pem=CA_PEM) == tls_v3.Secret(
        name="chat/v1/ca", validation_context=tls_v3.CertificateValidationContext(trusted_ca=inline(CA_PEM))
    )


def test_a_certificate_comes_with_its_key() -> None:
    assert decoded(PAIR, cert_pem=LEAF.cert_pem, key_pem=LEAF.key_pem) == tls_v3.Secret(
        name="chat/v1/certificate",
        tls_certificate=tls_v3.TlsCertificate(
            certificate_chain=inline(LEAF.cert_pem), private_key=inline(LEAF.key_pem)
        ),
    )


@pytest.mark.parametrize("content", [b"sk-1", b"sk-1\n", b" sk-1\r\n"])
def test_a_credential_is_the_whole_header_without_white_space_at_its_ends(content: bytes) -> None:
    assert decoded(TOKEN, token=content) == tls_v3.Secret(
        name="chat/v1/credential", generic_secret=tls_v3.GenericSecret(secret=inline(b"Bearer sk-1"))
    )


def test_a_renewed_file_is_another_version_of_the_same_secret() -> None:
    one, other = (build_secret(TOKEN, {"token": content}) for content in (b"a", b"b"))
    assert one.name == other.name
    assert one.version != other.version
    assert build_secret(TOKEN, {"token": b"a\n"}) == one


def locked(key_pem: bytes) -> bytes:
    return load_pem_private_key(key_pem, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )


@pytest.mark.parametrize(
    ("item", "files", "expected"),
    [
        (CA, {}, "secret chat/v1/ca: file ca.pem is not there; next: put it into the secrets directory"),
        (CA, {"ca_pem": b"hush"}, "file ca.pem holds no PEM certificate"),
        (CA, {"ca_pem": LEAF.key_pem}, "file ca.pem holds no PEM certificate"),
        (PAIR, {"cert_pem": LEAF.cert_pem}, "file key.pem is not there"),
        (PAIR, {"cert_pem": b"hush", "key_pem": LEAF.key_pem}, "file cert.pem holds no PEM certificate"),
        (PAIR, {"cert_pem": LEAF.cert_pem, "key_pem": b"hush"}, "file key.pem holds no unencrypted PEM private key"),
        (PAIR, {"cert_pem": LEAF.cert_pem, "key_pem": locked(LEAF.key_pem)}, "holds no unencrypted PEM private key"),
        (PAIR, {"cert_pem": LEAF.cert_pem, "key_pem": OTHER.key_pem}, "file key.pem is not the key of cert.pem"),
        (TOKEN, {"token": b" \n"}, "file token is empty"),
        (TOKEN, {"token": b"hush\r\nx-admin: 1"}, "holds bytes that no header may have"),
        (TOKEN, {"token": "hüsh".encode()}, "holds bytes that no header may have"),
        (TOKEN, {"token": b"hush" * CREDENTIAL_BYTES_MAX}, "is longer than 4096 bytes"),
    ],
)
def test_a_file_that_cannot_serve_is_refused_without_a_word_of_its_content(
    item: SecretInput, files: dict[str, bytes], expected: str
) -> None:
    with pytest.raises(SecretFileError) as caught:
        decoded(item, **files)
    assert expected in str(caught.value)
    assert caught.value.next_step
    assert "hush" not in str(caught.value)
    assert "PRIVATE" not in repr(caught.value)


def test_the_content_is_in_no_repr() -> None:
    assert "hush" not in repr(build_secret(TOKEN, {"token": b"hush"}))


@pytest.mark.parametrize(("item", "files"), [(CA, {"ca.pem"}), (PAIR, {"cert.pem", "key.pem"}), (TOKEN, {"token"})])
def test_a_secret_says_which_files_it_is_made_of(item: SecretInput, files: set[str]) -> None:
    assert files_of(item) == files
