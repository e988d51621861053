"""One version of a service -> one Envoy cluster, encoded.

A cluster each, so that health, statistics and circuit breakers are per version. It depends on the version's spec
alone: moving a weight never touches a cluster. Outlier detection stays off: ejecting the candidate's hosts would
hide from the judge what it is there to see.
"""

import ipaddress

from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint_v3
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstream_http

from controlplane.manifest.endpoint import Endpoint
from controlplane.manifest.version import Health, Version
from controlplane.snapshot.encoding import milliseconds, packed, serinus_metadata
from controlplane.snapshot.model import cluster_name
from controlplane.snapshot.resource import CLUSTER, Resource, resource

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

# Loopback and data-centre handshakes take milliseconds; a host that needs 2 s to accept is as good as away.
CONNECT_TIMEOUT_MS = 2_000
# llama-server closes a kept-alive connection after 5 s idle or 100 requests: stay below both, so that no request is
# sent into a connection that is just closing.
UPSTREAM_IDLE_TIMEOUT_MS = 4_000
REQUESTS_PER_CONNECTION_MAX = 90
# It also closes after every *streamed* answer, 0.1 ms after its end and unannounced: 4 of 586 requests that reused the
# connection at once got a 503 (and may not be retried: they were sent). A connect costs 0.1 ms where a generation
# takes seconds, so a version that streams gets a connection a request.
REQUESTS_PER_STREAMING_CONNECTION_MAX = 1
# Envoy's default of 1024 is within reach of slow generations (200 requests/s of 5 s each). 16,384 streams still fit
# in memory, and the model server's own queue is the limit that should act.
CONCURRENT_REQUESTS_MAX = 16_384
# Envoy's default of 3 concurrent retries is used up by one server restart.
CONCURRENT_RETRIES_MAX = 1_024
# One lost probe is no outage; Envoy ignores this for an HTTP answer outside 200, which is one.
UNHEALTHY_THRESHOLD = 2
# A server that answers once may serve: waiting for more would only delay a start.
HEALTHY_THRESHOLD = 1


def build_cluster(service: str, version: Version, *, streams: bool) -> Resource:
    """The cluster `<service>/<version>`: STATIC for IP addresses, STRICT_DNS as soon as one endpoint is a name.

    `streams`: its servers stream their answers (protocol openai).
    """
    name = cluster_name(service, version.name)
    named = any(not _is_ip(endpoint.host) for endpoint in version.endpoints)
    message = cluster_v3.Cluster(
        name=name,
        type=cluster_v3.ClusterDiscoveryType.STRICT_DNS if named else cluster_v3.ClusterDiscoveryType.STATIC,
        # AUTO would prefer IPv6, and `localhost` then misses a server on 127.0.0.1.
        dns_lookup_family=cluster_v3.ClusterDnsLookupFamily.V4_PREFERRED,
        connect_timeout=milliseconds(CONNECT_TIMEOUT_MS),
        # Generations differ a hundredfold in length: round robin piles them up, two random choices do not.
        lb_policy=cluster_v3.ClusterLbPolicy.LEAST_REQUEST,
        load_assignment=endpoint_v3.ClusterLoadAssignment(
            cluster_name=name,
            endpoints=[endpoint_v3.LocalityLbEndpoints(lb_endpoints=[_lb_endpoint(e) for e in version.endpoints])],
        ),
        health_checks=[_health_check(version.health)],
        circuit_breakers=_circuit_breakers(),
        typed_extension_protocol_options={_HTTP_OPTIONS: packed(_http_options(streams=streams), _HTTP_OPTIONS)},
        metadata=serinus_metadata({"service": service, "version": version.name}),
    )
    return resource(name, CLUSTER, bytes(message))


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _lb_endpoint(endpoint: Endpoint) -> endpoint_v3.LbEndpoint:
    address = core.SocketAddress(address=endpoint.host, port_value=endpoint.port)
    # Without it the health check's Host header would be the cluster's name, whose slash strict servers refuse.
    health = endpoint_v3.EndpointHealthCheckConfig(hostname=str(endpoint))
    return endpoint_v3.LbEndpoint(
        endpoint=endpoint_v3.Endpoint(address=core.Address(socket_address=address), health_check_config=health)
    )


def _health_check(health: Health) -> core.HealthCheck:
    """Envoy probes a new host at once (no initial jitter) and a cluster is warm after its first round of probes.

    `no_traffic_interval` is 60 s by default: a candidate at weight 0 would be seen dying a minute late.
    """
    check = core.HealthCheck(
        timeout=milliseconds(health.timeout_ms),
        interval=milliseconds(health.interval_ms),
        no_traffic_interval=milliseconds(health.interval_ms),
        no_traffic_healthy_interval=milliseconds(health.interval_ms),
        unhealthy_threshold=UNHEALTHY_THRESHOLD,
        healthy_threshold=HEALTHY_THRESHOLD,
    )
    if health.path is None:
        check.tcp_health_check = core.HealthCheckTcpHealthCheck()
    else:
        check.http_health_check = core.HealthCheckHttpHealthCheck(path=health.path)
    return check


def _circuit_breakers() -> cluster_v3.CircuitBreakers:
    return cluster_v3.CircuitBreakers(
        thresholds=[
            cluster_v3.CircuitBreakersThresholds(
                max_connections=CONCURRENT_REQUESTS_MAX,
                max_pending_requests=CONCURRENT_REQUESTS_MAX,
                max_requests=CONCURRENT_REQUESTS_MAX,
                max_retries=CONCURRENT_RETRIES_MAX,
            )
        ]
    )


def _http_options(*, streams: bool) -> upstream_http.HttpProtocolOptions:
    return upstream_http.HttpProtocolOptions(
        common_http_protocol_options=core.HttpProtocolOptions(
            idle_timeout=milliseconds(UPSTREAM_IDLE_TIMEOUT_MS),
            max_requests_per_connection=(
                REQUESTS_PER_STREAMING_CONNECTION_MAX if streams else REQUESTS_PER_CONNECTION_MAX
            ),
        ),
        explicit_http_config=upstream_http.HttpProtocolOptionsExplicitHttpConfig(
            http_protocol_options=core.Http1ProtocolOptions()
        ),
    )
