"""What is made of one service alone."""

from dataclasses import replace

import pytest

from controlplane.snapshot.compiled import compiled
from controlplane.snapshot.errors import WeightError
from controlplane.snapshot.route import build_routes
from tests.unit.controlplane.snapshot.factory import STAFF, at, service


def test_it_holds_all_that_the_snapshot_needs_of_a_service() -> None:
    route = at(service(hosts=["B.example.com", "a.example.com"], cohorts=[STAFF]), 500)
    made = compiled(route, None)
    assert made.routes == build_routes(route)
    assert made.named == {"chat/v1", "chat/v2"}
    assert [item.name for item in made.inputs] == ["chat/v1", "chat/v2"]
    assert made.claim.hosts == ("a.example.com", "b.example.com")
    assert made.forwarded == {"x-user-id", "x-team"}
    assert made.limits == ()


def test_an_equal_service_is_not_compiled_again() -> None:
    route = at(service(), 500)
    first = compiled(route, None)
    assert compiled(replace(route), first) is first
    assert compiled(at(route, 501), first) is not first


def test_what_cannot_be_compiled_is_told() -> None:
    with pytest.raises(WeightError):
        compiled(at(service(), 10_001), compiled(at(service(), 500), None))
