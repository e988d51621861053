"""One version, one cluster, and what is in it."""

from datetime import timedelta

import pytest
from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstream_http

from controlplane.manifest.version import Version
from controlplane.snapshot.cluster import build_cluster
from tests.unit.controlplane.snapshot.factory import cluster


def _version(*endpoints: str, **more: object) -> Version:
    return Version.model_validate({"name": "v1", "endpoints": list(endpoints), **more})


def _built(*endpoints: str, streams: bool = False, **more: object) -> cluster_v3.Cluster:
    return cluster(build_cluster("chat", _version(*endpoints, **more), streams=streams).body)


def test_the_name_says_service_and_version_and_the_metadata_does_too() -> None:
    built = _built("127.0.0.1:8001")
    fields = built.metadata.filter_metadata["serinus"].fields if built.metadata else {}
    assert built.name == "chat/v1"
    assert {key: value.string_value for key, value in fields.items()} == {"service": "chat", "version": "v1"}


@pytest.mark.parametrize(
    ("endpoints", "kind"),
    [
        (("127.0.0.1:1", "[::1]:2"), cluster_v3.ClusterDiscoveryType.STATIC),
        (("models.internal:1",), cluster_v3.ClusterDiscoveryType.STRICT_DNS),
        (("127.0.0.1:1", "localhost:2"), cluster_v3.ClusterDiscoveryType.STRICT_DNS),
    ],
)
def test_addresses_are_static_and_names_are_resolved(
    endpoints: tuple[str, ...], kind: cluster_v3.ClusterDiscoveryType
) -> None:
    assert _built(*endpoints).type is kind


def test_every_endpoint_is_inline_with_its_own_host_header_for_health_checks() -> None:
    built = _built("127.0.0.1:8001", "[::1]:8002")
    assert built.load_assignment is not None
    hosts = [lb.endpoint for lb in built.load_assignment.endpoints[0].lb_endpoints]
    seen = [
        (host.address.socket_address.address, host.address.socket_address.port_value, host.health_check_config.hostname)
        for host in hosts
        if host and host.address and host.address.socket_address and host.health_check_config
    ]
    assert seen == [("127.0.0.1", 8001, "127.0.0.1:8001"), ("::1", 8002, "[::1]:8002")]


def test_an_http_health_check_has_the_interval_also_without_traffic() -> None:
    check = _built("127.0.0.1:1", health={"path": "/health", "interval": "700ms", "timeout": "300ms"}).health_checks[0]
    assert check.http_health_check is not None
    assert check.http_health_check.path == "/health"
    assert (check.interval, check.no_traffic_interval) == (timedelta(seconds=0.7), timedelta(seconds=0.7))
    assert check.timeout == timedelta(seconds=0.3)
    assert check.initial_jitter is None


def test_without_a_path_a_connect_is_the_check() -> None:
    check = _built("127.0.0.1:1").health_checks[0]
    assert check.tcp_health_check is not None
    assert check.http_health_check is None


def test_kept_alive_connections_end_before_the_model_server_ends_them() -> None:
    config = next(iter(_built("127.0.0.1:1").typed_extension_protocol_options.values()))
    options = upstream_http.HttpProtocolOptions.parse(config.value).common_http_protocol_options
    assert options is not None
    assert options.max_requests_per_connection is not None
    assert options.idle_timeout is not None
    assert options.max_requests_per_connection < 100
    assert options.idle_timeout < timedelta(seconds=5)


def test_a_version_that_streams_gets_a_connection_a_request() -> None:
    """llama-server closes after each streamed answer without saying so; a request sent meanwhile would be lost."""
    config = next(iter(_built("127.0.0.1:1", streams=True).typed_extension_protocol_options.values()))
    options = upstream_http.HttpProtocolOptions.parse(config.value).common_http_protocol_options
    assert options is not None
    assert options.max_requests_per_connection == 1


def test_nothing_ejects_a_host_but_its_health_check() -> None:
    assert _built("127.0.0.1:1").outlier_detection is None
