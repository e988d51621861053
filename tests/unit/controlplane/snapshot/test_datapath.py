"""Which way a service's requests take, and the sentence that says why."""

from typing import Any

import pytest

from controlplane.manifest.schema import DataPath
from controlplane.snapshot.datapath import choose, obstacle
from tests.unit.controlplane.snapshot.factory import GOLD, STAFF, service


def _cohort(match: dict[str, Any]) -> dict[str, Any]:
    return {"name": "beta", "match": match, "exclude": True}


@pytest.mark.parametrize("asked", ["auto", "native"])
def test_a_service_that_envoy_can_serve_alone_is_native(asked: str) -> None:
    choice = choose(service(datapath=asked, cohorts=[STAFF, GOLD]).spec)
    assert choice.path is DataPath.NATIVE
    assert "the sticky key (header x-user-id) and tell all 2 cohorts: no request waits for the sidecar" in choice.reason


def test_by_the_request_id_it_is_native_too() -> None:
    choice = choose(service(datapath="auto", sticky="request").spec)
    assert (choice.path, choice.reason.count("(request)")) == (DataPath.NATIVE, 1)


def test_ext_proc_stays_what_was_asked_for() -> None:
    assert choose(service(datapath="ext_proc").spec).reason == "the manifest asks for it"


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"key": {"in_file": "ids"}}, "a list from a file"),
        ({"key": {"exact": "x"}}, "the sticky key"),
        ({"cookie": {"name": "a", "exact": "x"}}, "a cookie"),
        ({"query": {"name": "a", "modulo": {"of": 2, "is": [0]}}}, "a query field"),
        ({"header": {"name": "a", "modulo": {"of": 2, "is": [0]}}}, "a remainder"),
        ({"header": {"name": "a", "regex": "[a-z]{100}"}}, "a pattern or list larger than Envoy takes"),
        ({"not": {"header": {"name": "a", "exact": ""}}}, "a `not` that an empty value decides"),
        ({"path": {"suffix": "/chat"}}, "a path by more than exact or prefix"),
        ({"source": {"in": ["10.0.0.0/8"]}}, "the client's address"),
        ({"geo": {"file": "geo.mmdb", "country": ["DE"]}}, "where an address is"),
        ({"time": {"days": ["mon"]}}, "the time"),
        ({"share": {"of": "10%"}}, "a share by hash"),
        ({"any": [{"header": {"name": "a", "prefix": str(each)}} for each in range(17)]}, "more than 16 combinations"),
        ({"all": [{"method": {"exact": "GET"}}, {"share": {"of": "1%"}}]}, "a share by hash"),
    ],
    ids=str,
)
def test_what_only_the_sidecar_can_tell_is_named(match: dict[str, Any], words: str) -> None:
    choice = choose(service(datapath="auto", cohorts=[STAFF, _cohort(match)]).spec)
    assert choice.path is DataPath.EXT_PROC
    assert choice.reason == f"cohort beta tests {words}: only the sidecar can"


def test_tokens_are_no_obstacle() -> None:
    """Only requests that bring one are asked about."""
    assert obstacle(service(tokens={"key_file": "testers.key"}).spec) is None


def test_feedback_needs_the_sidecar_and_the_choice_says_why() -> None:
    spec = service(datapath="auto", feedback=True).spec
    assert choose(spec).path is DataPath.EXT_PROC
    assert choose(spec).reason == "feedback finds its request by an id that only the sidecar signs"
    assert choose(service(datapath="auto", feedback=False).spec).path is DataPath.NATIVE


def test_an_obstacle_leads_to_its_place_in_the_manifest() -> None:
    found = obstacle(service(cohorts=[STAFF, _cohort({"share": {"of": "1%"}})]).spec)
    assert found is not None
    assert found.path == ("cohorts", 1)
    found = obstacle(service(sticky={"header": "authorization"}).spec)
    assert found is not None
    assert (found.path, "must not be logged" in found.text) == (("sticky",), True)
    assert obstacle(service(cohorts=[STAFF]).spec) is None
