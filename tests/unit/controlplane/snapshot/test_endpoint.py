"""Localities, weights and priorities as Envoy is told them."""

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint_v3

from controlplane.snapshot.endpoint import build_endpoints
from tests.unit.controlplane.snapshot.versions import version


def decoded(**keys: object) -> endpoint_v3.ClusterLoadAssignment:
    return endpoint_v3.ClusterLoadAssignment.parse(build_endpoints("chat/v1", version(**keys)).body)


def test_every_endpoint_has_its_own_host_header_for_health_checks() -> None:
    message = endpoint_v3.ClusterLoadAssignment.parse(
        build_endpoints("chat/v1", version("127.0.0.1:8001", "[::1]:8002")).body
    )
    (place,) = message.endpoints
    assert place.locality is None
    seen = [
        (host.address.socket_address.address, host.address.socket_address.port_value, host.health_check_config.hostname)
        for host in (each.endpoint for each in place.lb_endpoints)
        if host and host.address and host.address.socket_address and host.health_check_config
    ]
    assert seen == [("127.0.0.1", 8001, "127.0.0.1:8001"), ("::1", 8002, "[::1]:8002")]


def test_localities_keep_their_place_weight_and_priority() -> None:
    message = decoded(
        localities=[
            {"zone": "eu-1a", "region": "eu", "weight": 80, "endpoints": ["127.0.0.1:1", "127.0.0.1:2"]},
            {"zone": "us-1a", "weight": 20, "priority": 1, "endpoints": ["127.0.0.1:3"]},
        ]
    )
    assert message.cluster_name == "chat/v1"
    assert [(each.locality, each.load_balancing_weight, each.priority) for each in message.endpoints] == [
        (core.Locality(region="eu", zone="eu-1a"), 80, 0),
        (core.Locality(zone="us-1a"), 20, 1),
    ]
    assert [len(each.lb_endpoints) for each in message.endpoints] == [2, 1]


def test_localities_without_weights_share_by_their_hosts() -> None:
    (place,) = decoded(localities=[{"zone": "a", "endpoints": ["127.0.0.1:1"]}]).endpoints
    assert place.load_balancing_weight is None
