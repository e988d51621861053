"""How the proxies speak HTTP with a version's servers: protocol, lifetime of a connection, the credential header."""

from google.protobuf.any_pb2 import Any

from controlplane.manifest.credential import UpstreamAuth
from controlplane.manifest.version import HttpVersion, Version
from controlplane.snapshot.secret import CredentialSecret
from controlplane.snapshot.wire import milliseconds, number, packed, secret_of
from serinus.envoywire import core_pb2, upstream_http_pb2

OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_INJECTOR = "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector"
_GENERIC = "envoy.extensions.http.injected_credentials.generic.v3.Generic"
_CODEC = "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"


def http_options(cluster: str, version: Version, *, streams: bool) -> Any:
    connection = version.connection
    requests_max = version.requests_max(streams=streams)
    options = upstream_http_pb2.HttpProtocolOptions(
        common_http_protocol_options=core_pb2.HttpProtocolOptions(
            idle_timeout=milliseconds(connection.idle_timeout_ms),
            max_requests_per_connection=None if requests_max is None else number(requests_max),
        )
    )
    http1 = core_pb2.Http1ProtocolOptions()
    # A WebSocket over HTTP/2 is an extended CONNECT (RFC 8441).
    http2 = core_pb2.Http2ProtocolOptions(allow_connect=True)
    match connection.protocol:
        case HttpVersion.HTTP1:
            options.explicit_http_config.http_protocol_options.CopyFrom(http1)
        case HttpVersion.HTTP2:
            options.explicit_http_config.http2_protocol_options.CopyFrom(http2)
        case HttpVersion.AUTO:
            options.use_downstream_protocol_config.http_protocol_options.CopyFrom(http1)
            options.use_downstream_protocol_config.http2_protocol_options.CopyFrom(http2)
    if version.auth is not None:
        options.http_filters.extend(_credential_filters(cluster, version.auth))
    return packed(options, OPTIONS)


def auth_secret(cluster: str, auth: UpstreamAuth) -> CredentialSecret:
    return CredentialSecret(f"{cluster}/credential", auth.file, auth.value_prefix)


def _credential_filters(cluster: str, auth: UpstreamAuth) -> tuple[upstream_http_pb2.HttpFilter, ...]:
    """What the client sent under that name is replaced. While the secret is not there requests get a 401: letting
    them through would hand the client's own credential to the servers (seen, with overwrite on)."""
    generic = upstream_http_pb2.GenericCredential(
        credential=secret_of(auth_secret(cluster, auth).name), header=auth.header
    )
    credential = core_pb2.TypedExtensionConfig(
        name="envoy.http.injected_credentials.generic", typed_config=packed(generic, _GENERIC)
    )
    injector = upstream_http_pb2.CredentialInjector(overwrite=True, credential=credential)
    return (
        upstream_http_pb2.HttpFilter(
            name="envoy.filters.http.credential_injector", typed_config=packed(injector, _INJECTOR)
        ),
        upstream_http_pb2.HttpFilter(
            name="envoy.filters.http.upstream_codec", typed_config=packed(upstream_http_pb2.UpstreamCodec(), _CODEC)
        ),
    )
