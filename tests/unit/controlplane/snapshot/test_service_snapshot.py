"""The hash in the route's metadata changes if and only if the routing of the service does."""

from dataclasses import replace

import pytest

from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.route import service_snapshot
from tests.unit.controlplane.snapshot.factory import GOLD, STAFF, at, service

_BASE = at(service(cohorts=[STAFF]), 500)
_OTHER_ENDPOINTS = [{"name": "v1", "endpoints": ["127.0.0.1:9"]}, {"name": "v2", "endpoints": ["127.0.0.1:8"]}]
_OVER_TLS = [{**version, "tls": {"ca": "ca.pem"}} for version in _OTHER_ENDPOINTS]


@pytest.mark.parametrize(
    "changed",
    [
        at(service(cohorts=[STAFF]), 501),
        at(service(cohorts=[STAFF]), 500, pins=False),
        at(service(cohorts=[STAFF]), 500, candidate="v1"),
        at(service(cohorts=[STAFF, GOLD]), 500),
        at(service(cohorts=[{**STAFF, "pin": "baseline"}]), 500),
        at(service(cohorts=[{"name": "staff", "match": STAFF["match"], "exclude": True}]), 500),
        at(service(cohorts=[{**STAFF, "match": {"not": STAFF["match"]}}]), 500),
        at(service(cohorts=[{**STAFF, "match": {"header": {"name": "x-team", "suffix": "ml"}}}]), 500),
        at(service(cohorts=[STAFF], sticky={"cookie": "x-user-id"}), 500),
        at(service(cohorts=[STAFF], prefix="/v1/"), 500),
        at(service(cohorts=[STAFF], hosts=["a.example.com"]), 500),
        at(service("other", cohorts=[STAFF]), 500),
        replace(_BASE, salt="r2"),
        replace(_BASE, baseline="v2"),
        service(cohorts=[STAFF]),
    ],
    ids=lambda route: f"{route.name} {route.rollout}",
)
def test_it_changes_with_the_routing(changed: ServiceRoute) -> None:
    assert service_snapshot(changed) != service_snapshot(_BASE)


@pytest.mark.parametrize(
    "same",
    [
        at(service(cohorts=[STAFF]), 500),
        at(service(cohorts=[STAFF], versions=_OTHER_ENDPOINTS), 500),
        at(service(cohorts=[STAFF], drain="5s"), 500),
        at(service(cohorts=[STAFF], protocol="openai", observe={"body": True}), 500),
        at(service(cohorts=[STAFF], limits={"candidate": {"requests_per_second": 5}}), 500),
        at(service(cohorts=[STAFF], upgrades=["websocket"]), 500),
        at(service(cohorts=[STAFF], proxies=["edge"]), 500),
        at(service(cohorts=[STAFF], versions=_OVER_TLS), 500),
    ],
    ids=["equal", "endpoints", "drain", "observation", "limits", "upgrades", "proxies", "tls"],
)
def test_it_does_not_change_with_anything_else(same: ServiceRoute) -> None:
    assert service_snapshot(same) == service_snapshot(_BASE)


def test_it_is_16_hex_digits_and_fixed_over_releases() -> None:
    """Slots of an older release must meet those of a newer one: a golden value, changed only with _ROUTING_FORMAT."""
    assert service_snapshot(_BASE) == "cd02ba07504cc581"
