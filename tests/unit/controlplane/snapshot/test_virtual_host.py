"""Hosts and prefixes of many services in one route configuration."""

import pytest

from controlplane.snapshot.assemble import build
from controlplane.snapshot.errors import DuplicateRouteError
from controlplane.snapshot.model import Gateway, ServiceRoute
from controlplane.snapshot.snapshot import Snapshot
from tests.unit.controlplane.snapshot.factory import at, route_configuration, service


def _hosts(*services: ServiceRoute) -> dict[tuple[str, ...], list[str]]:
    """Domains -> route names in order."""
    snapshot: Snapshot = build(services, Gateway())
    return {
        tuple(host.domains): [route.name for route in host.routes]
        for host in route_configuration(snapshot).virtual_hosts
    }


def test_hosts_with_the_same_services_share_a_virtual_host() -> None:
    assert _hosts(service(hosts=["chat.example.com", "*"])) == {("*", "chat.example.com"): ["chat/baseline"]}


def test_longest_prefix_first_in_any_order_of_services() -> None:
    services = [service("a", prefix="/"), service("b", prefix="/v1/"), service("c", prefix="/v1/chat/")]
    expected = {("*",): ["c/baseline", "b/baseline", "a/baseline"]}
    assert _hosts(*services) == expected
    assert _hosts(*reversed(services)) == expected


def test_services_of_different_hosts_stay_apart() -> None:
    assert _hosts(service("a", hosts=["a.example.com", "both.example.com"]), service("b", hosts=["b.example.com"])) == {
        ("a.example.com", "both.example.com"): ["a/baseline"],
        ("b.example.com",): ["b/baseline"],
    }


def test_a_host_is_one_host_in_any_case() -> None:
    """Envoy compares domains without case and refuses a configuration in which one stands twice."""
    services = [service("a", hosts=["A.example.com"]), service("b", hosts=["a.EXAMPLE.com"], prefix="/b/")]
    assert _hosts(*services) == {("a.example.com",): ["b/baseline", "a/baseline"]}


def test_two_services_with_one_host_and_prefix_are_refused() -> None:
    with pytest.raises(DuplicateRouteError, match=r"services a and b both claim host '\*' with prefix '/'"):
        build([service("a"), service("b")], Gateway())


def test_our_headers_do_not_reach_the_upstream_and_the_request_id_reaches_the_client() -> None:
    configuration = route_configuration(build([at(service(), 500)], Gateway()))
    assert set(configuration.request_headers_to_remove) == {
        f"x-serinus-{name}" for name in ("key", "bucket", "cohort", "pin", "version", "request-id")
    }
    (option,) = configuration.response_headers_to_add
    assert option.header is not None
    assert option.header.key == "x-serinus-request-id"
    assert configuration.ignore_port_in_host_matching
