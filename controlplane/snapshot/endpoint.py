"""Where a version's servers are -> one ClusterLoadAssignment, which stands alone (EDS) or inside a cluster (DNS)."""

from controlplane.manifest.endpoint import Endpoint, Locality
from controlplane.manifest.version import Version
from controlplane.snapshot.resource import ENDPOINT, Resource, resource
from controlplane.snapshot.wire import encoded, number
from serinus.envoywire import core_pb2, endpoint_pb2


def build_endpoints(cluster: str, version: Version) -> Resource:
    """The endpoints as a resource of their own, under the cluster's name."""
    return resource(cluster, ENDPOINT, encoded(load_assignment(cluster, version)))


def load_assignment(cluster: str, version: Version) -> endpoint_pb2.ClusterLoadAssignment:
    return endpoint_pb2.ClusterLoadAssignment(
        cluster_name=cluster, endpoints=[_locality_endpoints(place) for place in version.places]
    )


def _locality_endpoints(place: Locality) -> endpoint_pb2.LocalityLbEndpoints:
    """A nameless place has no locality: Envoy's zone-aware routing and statistics leave it alone."""
    return endpoint_pb2.LocalityLbEndpoints(
        locality=core_pb2.Locality(region=place.region or "", zone=place.zone) if place.zone else None,
        lb_endpoints=[_lb_endpoint(endpoint) for endpoint in place.endpoints],
        load_balancing_weight=None if place.weight is None else number(place.weight),
        priority=place.priority,
    )


def _lb_endpoint(endpoint: Endpoint) -> endpoint_pb2.LbEndpoint:
    address = core_pb2.SocketAddress(address=endpoint.host, port_value=endpoint.port)
    # Without it the health check's Host header would be the cluster's name, whose slash strict servers refuse.
    health = endpoint_pb2.Endpoint.HealthCheckConfig(hostname=str(endpoint))
    return endpoint_pb2.LbEndpoint(
        endpoint=endpoint_pb2.Endpoint(
            address=core_pb2.Address(socket_address=address),
            health_check_config=health,
        )
    )
