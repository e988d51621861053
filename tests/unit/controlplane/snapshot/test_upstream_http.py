"""Protocols, connections and the credential header, as another library reads them."""

from datetime import timedelta
from typing import Any

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.credential_injector import v3 as injector_v3
from envoy_data_plane.envoy.extensions.http.injected_credentials.generic import v3 as generic_v3
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls_v3
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstream_http

from controlplane.snapshot.secret import CredentialSecret
from tests.unit.controlplane.snapshot.versions import built, http_options_of

HTTP1, HTTP2 = core.Http1ProtocolOptions(), core.Http2ProtocolOptions(allow_connect=True)
Explicit = upstream_http.HttpProtocolOptionsExplicitHttpConfig


def common_of(**keys: Any) -> core.HttpProtocolOptions:
    options = http_options_of(**keys).common_http_protocol_options
    assert options is not None
    return options


def test_kept_alive_connections_end_before_the_model_server_ends_them() -> None:
    common = common_of()
    assert common.max_requests_per_connection is not None
    assert common.idle_timeout is not None
    assert common.max_requests_per_connection < 100
    assert common.idle_timeout < timedelta(seconds=5)


def test_a_version_that_streams_gets_a_connection_a_request() -> None:
    """llama-server closes after each streamed answer without saying so; a request sent meanwhile would be lost."""
    assert common_of(streams=True).max_requests_per_connection == 1


def test_a_connection_lives_as_long_as_the_manifest_says() -> None:
    common = common_of(connection={"idle_timeout": "60s", "requests_max": 7}, streams=True)
    assert (common.idle_timeout, common.max_requests_per_connection) == (timedelta(seconds=60), 7)


def test_http_2_connections_carry_any_number_of_requests() -> None:
    assert common_of(connection={"protocol": "http/2"}, streams=True).max_requests_per_connection is None


@pytest.mark.parametrize(
    ("protocol", "explicit", "downstream"),
    [
        ("http/1.1", Explicit(http_protocol_options=HTTP1), None),
        ("http/2", Explicit(http2_protocol_options=HTTP2), None),
        (
            "auto",
            None,
            upstream_http.HttpProtocolOptionsUseDownstreamHttpConfig(
                http_protocol_options=HTTP1, http2_protocol_options=HTTP2
            ),
        ),
    ],
)
def test_the_servers_are_spoken_to_in_the_protocol_asked(protocol: str, explicit: object, downstream: object) -> None:
    options = http_options_of(connection={"protocol": protocol})
    assert options.explicit_http_config == explicit
    assert options.use_downstream_protocol_config == downstream
    assert options.http_filters == []


def test_a_credential_replaces_the_clients_and_is_fetched_by_name() -> None:
    keys: dict[str, Any] = {"auth": {"header": "X-Api-Key", "file": "chat/token"}}
    injector, codec = http_options_of(**keys).http_filters
    assert (injector.name, codec.name) == (
        "envoy.filters.http.credential_injector",
        "envoy.filters.http.upstream_codec",
    )
    assert codec.typed_config is not None
    assert codec.typed_config.type_url.endswith("/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec")
    assert injector.typed_config is not None
    assert injector.typed_config.type_url.endswith(
        "/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector"
    )
    decoded = injector_v3.CredentialInjector.parse(injector.typed_config.value)
    assert decoded.overwrite
    assert not decoded.allow_request_without_credential, "it would let the client's own credential through"
    assert decoded.credential is not None
    assert decoded.credential.typed_config is not None
    assert decoded.credential.typed_config.type_url.endswith(
        "/envoy.extensions.http.injected_credentials.generic.v3.Generic"
    )
    assert generic_v3.Generic.parse(decoded.credential.typed_config.value) == generic_v3.Generic(
        credential=tls_v3.SdsSecretConfig(
            name="chat/v1/credential",
            sds_config=core.ConfigSource(ads=core.AggregatedConfigSource(), resource_api_version=core.ApiVersion.V3),
        ),
        header="x-api-key",
    )
    assert built(**keys).secrets == (CredentialSecret("chat/v1/credential", "chat/token", ""),)


def test_authorization_is_a_bearer_token_by_default() -> None:
    assert built(auth={"file": "t"}).secrets == (CredentialSecret("chat/v1/credential", "t", "Bearer "),)
