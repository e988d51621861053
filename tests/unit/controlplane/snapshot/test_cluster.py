"""One version, one cluster, and what is in it, as another library reads it."""

import time
from datetime import timedelta
from typing import Any

import pytest
from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint_v3
from envoy_data_plane.envoy.extensions.clusters.common.dns import v3 as dns_v3
from envoy_data_plane.envoy.extensions.clusters.dns import v3 as dns_cluster_v3
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstream_http
from envoy_data_plane.envoy.type import v3 as type_v3
from envoy_data_plane.google import protobuf

from controlplane.snapshot.cluster import build_version
from controlplane.snapshot.model import ClusterInput
from controlplane.snapshot.resource import CLUSTER, ENDPOINT
from tests.unit.controlplane.snapshot.versions import built, cluster_of, version

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
FROM_ADS = core.ConfigSource(ads=core.AggregatedConfigSource(), resource_api_version=core.ApiVersion.V3)


def plain_cluster() -> cluster_v3.Cluster:
    """All of a plain version's cluster, in the other library's words, but for where its servers are."""
    options = upstream_http.HttpProtocolOptions(
        common_http_protocol_options=core.HttpProtocolOptions(
            idle_timeout=timedelta(seconds=4), max_requests_per_connection=90
        ),
        explicit_http_config=upstream_http.HttpProtocolOptionsExplicitHttpConfig(
            http_protocol_options=core.Http1ProtocolOptions()
        ),
    )
    named = {"service": "chat", "version": "v1"}
    return cluster_v3.Cluster(
        name="chat/v1",
        connect_timeout=timedelta(seconds=2),
        lb_policy=cluster_v3.ClusterLbPolicy.LEAST_REQUEST,
        health_checks=[
            core.HealthCheck(
                timeout=timedelta(seconds=1),
                interval=timedelta(seconds=0.7),
                no_traffic_interval=timedelta(seconds=0.7),
                no_traffic_healthy_interval=timedelta(seconds=0.7),
                unhealthy_threshold=2,
                healthy_threshold=1,
                http_health_check=core.HealthCheckHttpHealthCheck(path="/health"),
            )
        ],
        circuit_breakers=cluster_v3.CircuitBreakers(
            thresholds=[
                cluster_v3.CircuitBreakersThresholds(
                    max_connections=16_384, max_pending_requests=16_384, max_requests=16_384, max_retries=1_024
                )
            ]
        ),
        typed_extension_protocol_options={
            HTTP_OPTIONS: protobuf.Any(type_url=f"type.googleapis.com/{HTTP_OPTIONS}", value=bytes(options))
        },
        metadata=core.Metadata(
            filter_metadata={
                "serinus": protobuf.Struct(
                    fields={key: protobuf.Value(string_value=value) for key, value in named.items()}
                )
            }
        ),
    )


def assignment(host: str, port: int) -> endpoint_v3.ClusterLoadAssignment:
    endpoint = endpoint_v3.Endpoint(
        address=core.Address(socket_address=core.SocketAddress(address=host, port_value=port)),
        health_check_config=endpoint_v3.EndpointHealthCheckConfig(hostname=f"{host}:{port}"),
    )
    places = [endpoint_v3.LocalityLbEndpoints(lb_endpoints=[endpoint_v3.LbEndpoint(endpoint=endpoint)])]
    return endpoint_v3.ClusterLoadAssignment(cluster_name="chat/v1", endpoints=places)


def named_cluster(refresh: timedelta, family: dns_v3.DnsLookupFamily) -> cluster_v3.ClusterCustomClusterType:
    config = bytes(dns_cluster_v3.DnsCluster(dns_refresh_rate=refresh, dns_lookup_family=family))
    type_url = "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster"
    typed_config = protobuf.Any(type_url=type_url, value=config)
    return cluster_v3.ClusterCustomClusterType(name="envoy.clusters.dns", typed_config=typed_config)


HEALTH = {"path": "/health", "interval": "700ms"}


def test_a_version_of_addresses_is_an_eds_cluster_and_nothing_else() -> None:
    expected = plain_cluster()
    expected.type = cluster_v3.ClusterDiscoveryType.EDS
    expected.eds_cluster_config = cluster_v3.ClusterEdsClusterConfig(eds_config=FROM_ADS)
    expected.ignore_health_on_host_removal = True
    resources = built("127.0.0.1:8001", health=HEALTH)
    assert cluster_v3.Cluster.parse(resources.cluster.body) == expected
    assert resources.endpoints is not None
    assert endpoint_v3.ClusterLoadAssignment.parse(resources.endpoints.body) == assignment("127.0.0.1", 8001)
    assert (resources.cluster.name, resources.cluster.type_url) == ("chat/v1", CLUSTER)
    assert (resources.endpoints.name, resources.endpoints.type_url) == ("chat/v1", ENDPOINT)
    assert resources.secrets == ()


def test_a_version_of_names_is_resolved_by_envoy_from_inside_its_cluster() -> None:
    expected = plain_cluster()
    expected.cluster_type = named_cluster(timedelta(seconds=5), dns_v3.DnsLookupFamily.V4_PREFERRED)
    expected.load_assignment = assignment("models.internal", 80)
    resources = built("models.internal:80", health=HEALTH)
    assert cluster_v3.Cluster.parse(resources.cluster.body) == expected
    assert resources.endpoints is None


def test_one_name_among_addresses_has_to_be_resolved() -> None:
    assert cluster_of("127.0.0.1:1", "[::1]:2").cluster_type is None
    assert cluster_of("127.0.0.1:1", "localhost:2").cluster_type is not None


def test_a_changed_endpoint_changes_no_cluster() -> None:
    one, other = built("127.0.0.1:1"), built("127.0.0.1:2")
    assert one.cluster == other.cluster
    assert one.endpoints != other.endpoints


def test_equal_inputs_give_equal_bytes() -> None:
    keys: dict[str, Any] = {"tls": {"ca": "ca.pem"}, "auth": {"file": "token"}, "outlier": {}}
    assert built(**keys).cluster.body == built(**keys).cluster.body


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("v4", dns_v3.DnsLookupFamily.V4_ONLY),
        ("v6", dns_v3.DnsLookupFamily.V6_ONLY),
        ("auto", dns_v3.DnsLookupFamily.AUTO),
        ("v4-preferred", dns_v3.DnsLookupFamily.V4_PREFERRED),
    ],
)
def test_names_are_resolved_as_asked(family: str, expected: dns_v3.DnsLookupFamily) -> None:
    cluster = cluster_of("localhost:1", dns={"family": family, "refresh": "250ms"})
    assert cluster.cluster_type == named_cluster(timedelta(seconds=0.25), expected)


def test_nothing_ejects_a_host_but_its_health_check_unless_asked() -> None:
    cluster = cluster_of()
    assert cluster.outlier_detection is None
    assert cluster.common_lb_config is None


@pytest.mark.parametrize(("max_ejected", "panic"), [("10%", 50), ("50%", 50), ("80%", 20), ("100%", 0)])
def test_outliers_are_ejected_by_failures_in_a_row_alone_and_stay_out(max_ejected: str, panic: float) -> None:
    """The version's health check would otherwise bring them back at its next round, and Envoy's panic mode too."""
    cluster = cluster_of(
        outlier={"consecutive_5xx": 3, "interval": "1s", "ejection": "1.5s", "max_ejected": max_ejected}
    )
    assert cluster.outlier_detection == cluster_v3.OutlierDetection(
        consecutive_5xx=3,
        interval=timedelta(seconds=1),
        base_ejection_time=timedelta(seconds=1.5),
        max_ejection_percent=int(max_ejected[:-1]),
        enforcing_success_rate=0,
        successful_active_health_check_uneject_host=False,
    )
    assert cluster.common_lb_config == cluster_v3.ClusterCommonLbConfig(
        healthy_panic_threshold=type_v3.Percent(value=panic)
    )


@pytest.mark.parametrize(("concurrent_max", "connections"), [(20, 16_384), (50_000, 50_000)])
def test_a_limit_of_requests_refuses_and_does_not_queue(concurrent_max: int, connections: int) -> None:
    (limits,) = (cluster_of(concurrent_max=concurrent_max).circuit_breakers or cluster_v3.CircuitBreakers()).thresholds
    assert limits == cluster_v3.CircuitBreakersThresholds(
        max_connections=connections,
        max_pending_requests=concurrent_max,
        max_requests=concurrent_max,
        max_retries=1_024,
    )


def test_weighted_localities_are_chosen_by_weight() -> None:
    places = [{"zone": "a", "weight": 4, "endpoints": ["127.0.0.1:1"]}, {"zone": "b", "endpoints": ["127.0.0.1:2"]}]
    places[1]["weight"] = 1
    config = cluster_of(localities=places).common_lb_config
    assert config is not None
    assert config.locality_weighted_lb_config == cluster_v3.ClusterCommonLbConfigLocalityWeightedLbConfig()
    assert cluster_of(localities=[{"zone": "a", "endpoints": ["127.0.0.1:1"]}]).common_lb_config is None


def test_a_new_host_takes_its_share_gradually() -> None:
    config = cluster_of(slow_start="30s").least_request_lb_config
    assert config == cluster_v3.ClusterLeastRequestLbConfig(
        slow_start_config=cluster_v3.ClusterSlowStartConfig(slow_start_window=timedelta(seconds=30))
    )


def test_two_thousand_clusters_are_built_in_a_fraction_of_a_second() -> None:
    """The first snapshot of 1,000 services waits for this: 0.3 s measured, ten times that is a fault."""
    items = [ClusterInput(f"s{n}", version(f"10.0.{n // 250}.{n % 250}:80"), True) for n in range(2_000)]
    began = time.perf_counter()
    for item in items:
        build_version(item)
    assert time.perf_counter() - began < 3
