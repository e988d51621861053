"""One version of a service -> one Envoy cluster, its endpoints and the secrets that it asks for.

A cluster each, so that health, statistics and circuit breakers are per version. It depends on the version's spec
alone: moving a weight never touches a cluster. Outlier detection stays off unless the manifest asks: ejecting the
candidate's hosts would hide from the judge what it is there to see.

Servers with addresses come over EDS: a changed endpoint is no changed cluster, so nothing warms anew and no connection
is lost. Names are resolved by Envoy.
"""

from dataclasses import dataclass

from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import BoolValue

from controlplane.manifest.version import Dns, DnsFamily, Outlier
from controlplane.snapshot import upstream_http
from controlplane.snapshot.endpoint import build_endpoints, load_assignment
from controlplane.snapshot.health import health_check
from controlplane.snapshot.model import ClusterInput
from controlplane.snapshot.resource import CLUSTER, Resource, resource
from controlplane.snapshot.secret import SecretInput
from controlplane.snapshot.upstream_tls import tls_secrets, transport_socket
from controlplane.snapshot.wire import encoded, from_ads, milliseconds, number, packed
from serinus.contract.headers import METADATA_NAMESPACE
from serinus.envoywire import cluster_pb2, core_pb2

# Envoy's default of 1024 is within reach of slow generations (200 requests/s of 5 s each). 16,384 streams still fit
# in memory, and the model server's own queue is the limit that should act.
CONCURRENT_REQUESTS_MAX = 16_384
# Envoy's default of 3 concurrent retries is used up by one server restart.
CONCURRENT_RETRIES_MAX = 1_024
# Envoy's default: with more than half of the hosts away it sends to all of them, the ejected ones too.
_PANIC_PERCENT = 50

_DNS_CLUSTER = "envoy.extensions.clusters.dns.v3.DnsCluster"
_DNS_FAMILIES = {
    DnsFamily.V4: cluster_pb2.V4_ONLY,
    DnsFamily.V6: cluster_pb2.V6_ONLY,
    DnsFamily.AUTO: cluster_pb2.AUTO,
    DnsFamily.V4_PREFERRED: cluster_pb2.V4_PREFERRED,
}
_Message = cluster_pb2.Cluster


@dataclass(frozen=True, slots=True)
class VersionResources:
    """What the proxies need for one version. `endpoints` None: they are names, inside the cluster.

    `secrets` are the inputs of the secrets that the cluster asks for: without them it never becomes warm.
    """

    cluster: Resource
    endpoints: Resource | None
    secrets: tuple[SecretInput, ...]


def build_version(item: ClusterInput) -> VersionResources:
    """The cluster `<service>/<version>`: EDS for IP addresses, DNS as soon as one endpoint is a name."""
    version = item.version
    message = _cluster(item)
    if version.is_named:
        _resolve_names(message, item)
    else:
        message.type = _Message.EDS
        message.eds_cluster_config.eds_config.CopyFrom(from_ads())
        # A host that left the list leaves at once, though its health check still passes.
        message.ignore_health_on_host_removal = True
    secrets: list[SecretInput] = []
    if version.tls is not None:
        secrets.extend(tls_secrets(item.name, version.tls))
    if version.auth is not None:
        secrets.append(upstream_http.auth_secret(item.name, version.auth))
    return VersionResources(
        cluster=resource(item.name, CLUSTER, encoded(message)),
        endpoints=None if version.is_named else build_endpoints(item.name, version),
        secrets=tuple(secrets),
    )


def _cluster(item: ClusterInput) -> cluster_pb2.Cluster:
    """All but where the servers are."""
    version = item.version
    message = _Message(
        name=item.name,
        connect_timeout=milliseconds(version.connection.connect_timeout_ms),
        # Generations differ a hundredfold in length: round robin piles them up, two random choices do not.
        lb_policy=_Message.LEAST_REQUEST,
        health_checks=[health_check(version)],
        circuit_breakers=_circuit_breakers(item.concurrent_max),
        typed_extension_protocol_options={
            upstream_http.OPTIONS: upstream_http.http_options(item.name, version, streams=item.streams)
        },
        metadata=_metadata(item),
    )
    if version.outlier is not None:
        message.outlier_detection.CopyFrom(_outlier_detection(version.outlier))
        message.common_lb_config.healthy_panic_threshold.value = _panic_percent(version.outlier)
    if any(place.weight is not None for place in version.places):
        message.common_lb_config.locality_weighted_lb_config.SetInParent()
    if version.slow_start_ms is not None:
        window = milliseconds(version.slow_start_ms)
        message.least_request_lb_config.slow_start_config.slow_start_window.CopyFrom(window)
    if version.tls is not None:
        message.transport_socket.CopyFrom(transport_socket(item.name, version, version.tls))
    return message


def _resolve_names(message: cluster_pb2.Cluster, item: ClusterInput) -> None:
    """Every address that a name has becomes a host of its own: STRICT_DNS, without the fields that Envoy deprecated."""
    dns = item.version.dns or Dns()
    cluster_type = cluster_pb2.DnsCluster(
        dns_refresh_rate=milliseconds(dns.refresh_ms), dns_lookup_family=_DNS_FAMILIES[dns.family]
    )
    message.cluster_type.name = "envoy.clusters.dns"
    message.cluster_type.typed_config.CopyFrom(packed(cluster_type, _DNS_CLUSTER))
    message.load_assignment.CopyFrom(load_assignment(item.name, item.version))


def _circuit_breakers(concurrent_max: int | None) -> cluster_pb2.CircuitBreakers:
    """A limit of connections would make requests wait where `concurrent` says that they are refused."""
    requests_max = CONCURRENT_REQUESTS_MAX if concurrent_max is None else concurrent_max
    return cluster_pb2.CircuitBreakers(
        thresholds=[
            cluster_pb2.CircuitBreakers.Thresholds(
                max_connections=number(max(CONCURRENT_REQUESTS_MAX, requests_max)),
                max_pending_requests=number(requests_max),
                max_requests=number(requests_max),
                max_retries=number(CONCURRENT_RETRIES_MAX),
            )
        ]
    )


def _outlier_detection(outlier: Outlier) -> cluster_pb2.OutlierDetection:
    """Failures in a row, and nothing else: Envoy would also eject by success rate, which nobody asked for."""
    return cluster_pb2.OutlierDetection(
        consecutive_5xx=number(outlier.consecutive_5xx),
        interval=milliseconds(outlier.interval_ms),
        base_ejection_time=milliseconds(outlier.ejection_ms),
        max_ejection_percent=number(outlier.max_ejected_bp // 100),
        enforcing_success_rate=number(0),
        # Every version has an active health check, which would bring an ejected host back after seconds.
        successful_active_health_check_uneject_host=BoolValue(value=False),
    )


def _panic_percent(outlier: Outlier) -> int:
    """As many hosts as may be ejected may also be away without the ejected ones getting requests again."""
    return min(_PANIC_PERCENT, 100 - outlier.max_ejected_bp // 100)


def _metadata(item: ClusterInput) -> core_pb2.Metadata:
    """What access logs and filters know a version by."""
    values = Struct()
    values.update({"service": item.service, "version": item.version.name})
    return core_pb2.Metadata(filter_metadata={METADATA_NAMESPACE: values})
