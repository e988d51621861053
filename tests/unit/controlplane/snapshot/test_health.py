"""Health checks: their kind, their pace, and the protocol that the servers speak."""

from datetime import timedelta
from typing import Any

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.type import v3 as type_v3

from tests.unit.controlplane.snapshot.versions import cluster_of

HTTP2 = {"connection": {"protocol": "http/2"}}
TLS = {"tls": {"ca": "ca.pem"}}


def check_of(**keys: Any) -> core.HealthCheck:
    (check,) = cluster_of(**keys).health_checks
    return check


def test_an_http_health_check_has_the_interval_also_without_traffic() -> None:
    check = check_of(health={"path": "/health", "interval": "700ms", "timeout": "300ms"})
    assert check.http_health_check == core.HealthCheckHttpHealthCheck(path="/health")
    every = timedelta(seconds=0.7)
    assert (check.interval, check.no_traffic_interval, check.no_traffic_healthy_interval) == (every, every, every)
    assert check.timeout == timedelta(seconds=0.3)
    assert check.initial_jitter is None


def test_without_a_path_a_connect_is_the_check() -> None:
    check = check_of(**TLS)
    assert check.tcp_health_check == core.HealthCheckTcpHealthCheck()
    assert (check.http_health_check, check.grpc_health_check, check.tls_options) == (None, None, None)


def test_a_server_leaves_and_comes_back_after_as_many_checks_as_asked() -> None:
    check = check_of(health={"unhealthy_after": 5, "healthy_after": 3})
    assert (check.unhealthy_threshold, check.healthy_threshold) == (5, 3)


def test_grpc_servers_are_asked_in_their_own_protocol() -> None:
    check = check_of(health={"grpc": True}, **HTTP2)
    assert check.grpc_health_check == core.HealthCheckGrpcHealthCheck()
    assert check.http_health_check is None


def test_a_server_of_http_2_is_checked_in_http_2() -> None:
    """Envoy's health checks speak HTTP/1.1 unless told, whatever the cluster speaks."""
    check = check_of(health={"path": "/health"}, **HTTP2)
    assert check.http_health_check is not None
    assert check.http_health_check.codec_client_type is type_v3.CodecClientType.HTTP2


@pytest.mark.parametrize(
    ("keys", "protocol"),
    [
        ({"health": {"path": "/"}}, "http/1.1"),
        ({"health": {"path": "/"}, **HTTP2}, "h2"),
        ({"health": {"path": "/"}, "connection": {"protocol": "auto"}}, "http/1.1"),
        ({"health": {"grpc": True}, "connection": {"protocol": "auto"}}, "h2"),
    ],
)
def test_over_tls_a_check_offers_what_it_speaks(keys: dict[str, Any], protocol: str) -> None:
    assert check_of(**keys, **TLS).tls_options == core.HealthCheckTlsOptions(alpn_protocols=[protocol])
    assert check_of(**keys).tls_options is None
