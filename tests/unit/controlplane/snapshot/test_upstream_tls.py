"""Who is trusted, for which names, and what is asked for by name."""

from typing import Any

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls_v3
from envoy_data_plane.envoy.type.matcher import v3 as matcher_v3

from controlplane.snapshot.secret import CaSecret, CertificateSecret
from tests.unit.controlplane.snapshot.versions import built, cluster_of

San = tls_v3.SubjectAltNameMatcherSanType
FROM_ADS = core.ConfigSource(ads=core.AggregatedConfigSource(), resource_api_version=core.ApiVersion.V3)


def context_of(*endpoints: str, tls: dict[str, Any], **keys: Any) -> tls_v3.UpstreamTlsContext:
    socket = cluster_of(*endpoints, tls=tls, **keys).transport_socket
    assert socket is not None
    assert socket.name == "envoy.transport_sockets.tls"
    assert socket.typed_config is not None
    assert socket.typed_config.type_url.endswith("/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext")
    return tls_v3.UpstreamTlsContext.parse(socket.typed_config.value)


def names_of(context: tls_v3.UpstreamTlsContext) -> list[tuple[San, str]]:
    assert context.common_tls_context is not None
    combined = context.common_tls_context.combined_validation_context
    assert combined is not None
    assert combined.default_validation_context is not None
    found = combined.default_validation_context.match_typed_subject_alt_names
    return [(each.san_type, each.matcher.exact) for each in found if each.matcher and each.matcher.exact]


def test_mutual_tls_asks_for_two_secrets_and_holds_none() -> None:
    tls = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem", "server_name": "models.example.com"}
    assert context_of(tls=tls) == tls_v3.UpstreamTlsContext(
        common_tls_context=tls_v3.CommonTlsContext(
            alpn_protocols=["http/1.1"],
            tls_certificate_sds_secret_configs=[
                tls_v3.SdsSecretConfig(name="chat/v1/certificate", sds_config=FROM_ADS)
            ],
            combined_validation_context=tls_v3.CommonTlsContextCombinedCertificateValidationContext(
                default_validation_context=tls_v3.CertificateValidationContext(
                    match_typed_subject_alt_names=[
                        tls_v3.SubjectAltNameMatcher(
                            san_type=San.DNS, matcher=matcher_v3.StringMatcher(exact="models.example.com")
                        )
                    ]
                ),
                validation_context_sds_secret_config=tls_v3.SdsSecretConfig(name="chat/v1/ca", sds_config=FROM_ADS),
            ),
        ),
        sni="models.example.com",
    )
    assert built(tls=tls).secrets == (
        CaSecret("chat/v1/ca", "ca.pem"),
        CertificateSecret("chat/v1/certificate", "cert.pem", "key.pem"),
    )


def test_a_version_without_tls_has_no_transport_socket_and_no_secrets() -> None:
    assert cluster_of().transport_socket is None
    assert built().secrets == ()


@pytest.mark.parametrize(
    ("endpoints", "tls", "expected"),
    [
        (("models.internal:1", "10.0.0.7:2"), {}, [(San.IP_ADDRESS, "10.0.0.7"), (San.DNS, "models.internal")]),
        (("[::0001]:1", "[::1]:2"), {}, [(San.IP_ADDRESS, "::1"), (San.IP_ADDRESS, "::1")]),
        (("models.internal:1",), {"server_name": "a.example.com"}, [(San.DNS, "a.example.com")]),
        (
            ("models.internal:1",),
            {"server_name": "a.example.com", "names": ["spiffe://example.com/models", "10.0.0.8"]},
            [(San.URI, "spiffe://example.com/models"), (San.IP_ADDRESS, "10.0.0.8")],
        ),
    ],
)
def test_a_certificate_of_the_right_ca_for_another_name_is_not_taken(
    endpoints: tuple[str, ...], tls: dict[str, Any], expected: list[tuple[San, str]]
) -> None:
    assert names_of(context_of(*endpoints, tls={"ca": "ca.pem", **tls})) == expected


def test_a_server_is_asked_for_by_the_endpoints_own_name_unless_told_otherwise() -> None:
    own = context_of("models.internal:1", tls={"ca": "ca.pem"})
    assert (own.sni, own.auto_host_sni) == ("", True)
    other = context_of("models.internal:1", tls={"ca": "ca.pem", "server_name": "a.example.com"})
    assert (other.sni, other.auto_host_sni) == ("a.example.com", False)


@pytest.mark.parametrize(("protocol", "alpn"), [("http/1.1", ["http/1.1"]), ("http/2", ["h2"]), ("auto", [])])
def test_the_handshake_offers_the_protocol_that_is_spoken(protocol: str, alpn: list[str]) -> None:
    context = context_of(tls={"ca": "ca.pem"}, connection={"protocol": protocol})
    assert context.common_tls_context is not None
    assert context.common_tls_context.alpn_protocols == alpn


def test_a_server_that_nobody_verifies_needs_no_secret() -> None:
    tls = {"insecure_skip_verify": True}
    assert context_of(tls=tls).common_tls_context == tls_v3.CommonTlsContext(alpn_protocols=["http/1.1"])
    assert built(tls=tls).secrets == ()
