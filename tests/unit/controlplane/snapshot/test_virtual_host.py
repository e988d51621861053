"""Hosts and prefixes of many services: virtual hosts, and the route configurations that they make."""

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route_v3

from controlplane.snapshot.assemble import build
from controlplane.snapshot.errors import DuplicateRouteError
from controlplane.snapshot.model import Gateway, ServiceRoute
from controlplane.snapshot.resource import ROUTE, VIRTUAL_HOST
from controlplane.snapshot.virtual_host import discovering_configuration
from tests.unit.controlplane.snapshot.factory import at, route_configuration, service


def _inline(*services: ServiceRoute) -> list[route_v3.VirtualHost]:
    return route_configuration(build(services, Gateway())).virtual_hosts


def _hosts(*services: ServiceRoute) -> dict[tuple[str, ...], list[str]]:
    """Domains -> route names in order."""
    return {tuple(host.domains): [route.name for route in host.routes] for host in _inline(*services)}


def test_every_host_has_a_virtual_host_of_its_own() -> None:
    """So no host ever moves from one resource to another, which Envoy would refuse between two updates."""
    assert _hosts(service(hosts=["chat.example.com", "*"])) == {
        ("*",): ["chat/baseline"],
        ("chat.example.com",): ["chat/baseline"],
    }


def test_longest_prefix_first_in_any_order_of_services() -> None:
    services = [service("a", prefix="/"), service("b", prefix="/v1/"), service("c", prefix="/v1/chat/")]
    expected = {("*",): ["c/baseline", "b/baseline", "a/baseline"]}
    assert _hosts(*services) == expected
    assert _hosts(*reversed(services)) == expected


def test_who_joins_a_host_changes_that_host_alone() -> None:
    """A request on the way finds the others as they were, under the names that they had."""
    first = service("a", hosts=["a.example.com", "both.example.com"])
    joining = service("b", hosts=["both.example.com", "b.example.com"], prefix="/b/")
    before = build([first], Gateway()).overlay[VIRTUAL_HOST].resources
    after = build([first, joining], Gateway()).overlay[VIRTUAL_HOST].resources
    assert set(before) == {"services/a.example.com", "services/both.example.com"}
    assert set(after) == {*before, "services/b.example.com"}
    assert {name for name in before if before[name] != after[name]} == {"services/both.example.com"}


def test_a_host_is_one_host_in_any_case() -> None:
    """Envoy compares domains without case and refuses a configuration in which one stands twice."""
    services = [service("a", hosts=["A.example.com"]), service("b", hosts=["a.EXAMPLE.com"], prefix="/b/")]
    assert _hosts(*services) == {("a.example.com",): ["b/baseline", "a/baseline"]}


def test_two_services_with_one_host_and_prefix_are_refused() -> None:
    with pytest.raises(DuplicateRouteError, match=r"services a and b both claim host '\*' with prefix '/'"):
        build([service("a"), service("b")], Gateway())


def test_our_headers_do_not_reach_the_upstream_and_the_request_id_reaches_the_client() -> None:
    discovering = route_v3.RouteConfiguration.parse(discovering_configuration().body)
    for configuration in (route_configuration(build([at(service(), 500)], Gateway())), discovering):
        assert set(configuration.request_headers_to_remove) == {
            *(f"x-serinus-{name}" for name in ("key", "bucket", "cohort", "pin", "version", "request-id")),
            "serinus-token",
        }
        (option,) = configuration.response_headers_to_add
        assert option.header is not None
        assert option.header.key == "x-serinus-request-id"
        assert configuration.ignore_port_in_host_matching


def test_both_forms_hold_the_same_virtual_hosts() -> None:
    services = [at(service("a"), 500), service("b", hosts=["*", "b.example.com"], prefix="/b/")]
    snapshot = build(services, Gateway())
    apart = [route_v3.VirtualHost.parse(item.body) for item in snapshot.incremental.of_type(VIRTUAL_HOST)]
    assert [host.name for host in apart] == ["services/*", "services/b.example.com"]
    assert apart == _inline(*services)


def test_a_virtual_host_says_inside_how_it_is_called_outside() -> None:
    """Envoy files it under the name inside: one with another name could never be removed."""
    for item in build([service(), service("b", hosts=["b.example.com"])], Gateway()).overlay[VIRTUAL_HOST]:
        assert route_v3.VirtualHost.parse(item.body).name == item.name


def test_a_virtual_host_names_the_clusters_of_its_services() -> None:
    services = [at(service("a"), 500), service("b", hosts=["*", "b.example.com"], prefix="/b/")]
    hosts = build(services, Gateway()).overlay[VIRTUAL_HOST].resources
    assert hosts["services/*"].clusters == {"a/v1", "a/v2", "b/v1"}
    assert hosts["services/b.example.com"].clusters == {"b/v1"}


def test_incremental_streams_discover_virtual_hosts_and_others_do_not() -> None:
    """Envoy refuses a route configuration with `vhds` on a stream that sends the state of the world."""
    snapshot = build([service()], Gateway())
    assert VIRTUAL_HOST not in snapshot.types
    assert route_configuration(snapshot).vhds is None
    (body,) = (item.body for item in snapshot.incremental.of_type(ROUTE))
    discovering = route_v3.RouteConfiguration.parse(body)
    assert (discovering.name, discovering.virtual_hosts) == ("services", [])
    from_ads = core.ConfigSource(ads=core.AggregatedConfigSource(), resource_api_version=core.ApiVersion.V3)
    assert discovering.vhds == route_v3.Vhds(config_source=from_ads)


def test_without_services_there_is_a_virtual_host_to_discover_and_nobody_can_ask_for_it() -> None:
    """An Envoy whose first answer holds none keeps its listener shut for 15 s."""
    snapshot = build([], Gateway())
    assert snapshot.overlay[VIRTUAL_HOST].names == {"services/serinus.invalid"}
    assert route_configuration(snapshot).virtual_hosts == []
