"""Services and gateways for the tests, and what was encoded, decoded again."""

from dataclasses import replace
from typing import Any

from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.config.listener import v3 as listener_v3
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm

from controlplane.manifest.schema import ServiceSpec
from controlplane.snapshot.model import ROUTE_CONFIGURATION, RolloutRoute, ServiceRoute
from controlplane.snapshot.resource import LISTENER, ROUTE
from controlplane.snapshot.snapshot import Snapshot

SALT = "r1"


def service(name: str = "chat", **spec: Any) -> ServiceRoute:
    """A service with versions v1 and v2, baseline v1, sticky by x-user-id, through the sidecar, no rollout."""
    values = {
        "protocol": "http",
        "hosts": ["*"],
        "sticky": {"header": "x-user-id"},
        "datapath": "ext_proc",
        "versions": [
            {"name": "v1", "endpoints": ["127.0.0.1:8001"], "health": {"path": "/health"}},
            {"name": "v2", "endpoints": ["127.0.0.1:8002"], "health": {"path": "/health"}},
        ],
        "baseline": "v1",
        **spec,
    }
    parsed = ServiceSpec.model_validate(values)
    return ServiceRoute(name, parsed, baseline=parsed.baseline, salt=SALT)


def at(route: ServiceRoute, weight_bp: int, *, pins: bool = True, candidate: str = "v2") -> ServiceRoute:
    """The service with a rollout at a weight."""
    return replace(route, rollout=RolloutRoute("chat-v2", candidate, weight_bp, pins))


STAFF = {"name": "staff", "match": {"header": {"name": "x-team", "exact": "ml"}}, "pin": "candidate"}
GOLD = {"name": "gold", "match": {"header": {"name": "x-tier", "in": ["gold", "plat.num"]}}, "pin": "baseline"}


def decoded_routes(routes: tuple[bytes, ...]) -> list[route_v3.Route]:
    return [route_v3.Route.parse(route) for route in routes]


def route_configuration(snapshot: Snapshot) -> route_v3.RouteConfiguration:
    return route_v3.RouteConfiguration.parse(snapshot.of_type(ROUTE).resources[ROUTE_CONFIGURATION].body)


def listener(snapshot: Snapshot) -> listener_v3.Listener:
    return listener_v3.Listener.parse(snapshot.of_type(LISTENER).resources["gateway"].body)


def connection_manager(message: listener_v3.Listener) -> hcm.HttpConnectionManager:
    config = message.filter_chains[0].filters[0].typed_config
    assert config is not None
    return hcm.HttpConnectionManager.parse(config.value)


def cluster(body: bytes) -> cluster_v3.Cluster:
    return cluster_v3.Cluster.parse(body)
