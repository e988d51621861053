"""TLS and credentials name files; what they name stays inside the secrets directory, and nothing is trusted unsaid."""

from typing import Any

import pytest
from pydantic import ValidationError

from controlplane.manifest.credential import UpstreamAuth, UpstreamTls


def tls(**keys: Any) -> UpstreamTls:
    return UpstreamTls.model_validate(keys)


def auth(**keys: Any) -> UpstreamAuth:
    return UpstreamAuth.model_validate({"file": "key", **keys})


def test_mutual_tls_names_its_three_files() -> None:
    assert list(tls(ca="chat/ca.pem", cert="chat/cert.pem", key="chat/key.pem").files) == [
        "chat/ca.pem",
        "chat/cert.pem",
        "chat/key.pem",
    ]


@pytest.mark.parametrize("name", ["/etc/passwd", "../ca.pem", "a/../b", "a//b", "a/", ".hidden", "", "a\\b", "a\nb", 7])
def test_a_file_outside_of_the_secrets_directory_cannot_be_named(name: object) -> None:
    with pytest.raises(ValidationError, match="is not the name of a file in the control plane's secrets directory"):
        tls(ca=name)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"ca": "ca.pem", "cert": "c.pem"}, "cert and key go together"),
        ({"ca": "ca.pem", "key": "k.pem"}, "cert and key go together"),
        ({}, "tls needs a `ca` to verify the server with"),
        ({"server_name": "a.example.com"}, "tls needs a `ca` to verify the server with"),
        ({"ca": "ca.pem", "insecure_skip_verify": True}, "insecure_skip_verify excludes ca and names"),
        ({"names": ["a.b"], "insecure_skip_verify": True}, "insecure_skip_verify excludes ca and names"),
        ({"ca": "ca.pem", "server_name": "127.0.0.1"}, "is not a DNS name"),
        ({"ca": "ca.pem", "names": ["a b"]}, "is none of: a DNS name, an IP address, a URI"),
    ],
)
def test_tls_that_would_not_verify_or_not_work_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        tls(**keys)


def test_a_server_that_nobody_verifies_has_to_be_asked_for_in_words() -> None:
    assert tls(insecure_skip_verify=True).ca is None


@pytest.mark.parametrize("name", ["models.internal", "10.0.0.7", "::1", "spiffe://example.com/ns/models"])
def test_a_certificate_may_be_expected_for_a_name_an_address_or_a_uri(name: str) -> None:
    assert tls(ca="ca.pem", names=[name]).names == (name,)


@pytest.mark.parametrize(
    ("keys", "header", "prefix"),
    [
        ({}, "authorization", "Bearer "),
        ({"header": "Authorization", "prefix": "Basic "}, "authorization", "Basic "),
        ({"header": "x-api-key"}, "x-api-key", ""),
        ({"header": "api-key", "prefix": "Key "}, "api-key", "Key "),
    ],
)
def test_bearer_is_the_default_of_authorization_alone(keys: dict[str, Any], header: str, prefix: str) -> None:
    spec = auth(**keys)
    assert (spec.header, spec.value_prefix) == (header, prefix)


@pytest.mark.parametrize("header", ["Host", "content-length", "x-serinus-key", "X-Envoy-Retry-On", "connection"])
def test_a_header_that_the_proxy_sets_itself_takes_no_credential(header: str) -> None:
    with pytest.raises(ValidationError, match="is set by the proxy itself"):
        auth(header=header)


def test_a_prefix_cannot_break_out_of_its_header() -> None:
    with pytest.raises(ValidationError):
        auth(prefix="a\r\nb: ")
