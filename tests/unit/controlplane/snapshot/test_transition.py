"""Make before break."""

from collections.abc import Mapping

from controlplane.snapshot.assemble import build, check
from controlplane.snapshot.model import Gateway
from controlplane.snapshot.resource import CLUSTER, LISTENER, ROUTE
from controlplane.snapshot.snapshot import Snapshot
from controlplane.snapshot.transition import phases
from tests.unit.controlplane.snapshot.factory import at, service

_GATEWAY = Gateway()
_V3 = {"name": "v3", "endpoints": ["127.0.0.1:8003"]}
_V1 = {"name": "v1", "endpoints": ["127.0.0.1:8001"]}


def _only(version: Mapping[str, object]) -> Snapshot:
    return build([service(versions=[version], baseline=version["name"])], _GATEWAY)


def test_a_start_is_one_phase() -> None:
    target = _only(_V1)
    assert phases(None, target) == [target]


def test_nothing_to_do_is_no_phase() -> None:
    assert phases(_only(_V1), _only(_V1)) == []


def test_a_weight_step_is_one_phase() -> None:
    before, after = (build([at(service(), weight)], _GATEWAY) for weight in (100, 500))
    assert [phase.version for phase in phases(before, after)] == [after.version]


def test_clusters_come_before_their_routes_and_go_after_them() -> None:
    """Envoy does not warm routes: a route to a cluster that is not there yet, or not any more, answers 503."""
    before, after = _only(_V1), _only(_V3)
    made, moved, target = phases(before, after)
    assert made.of_type(CLUSTER).names == moved.of_type(CLUSTER).names == {"chat/v1", "chat/v3"}
    assert made.versions[ROUTE] == before.versions[ROUTE]
    assert made.versions[LISTENER] == before.versions[LISTENER]
    assert moved.versions[ROUTE] == after.versions[ROUTE]
    assert target.version == after.version


def test_every_phase_is_consistent_with_itself_and_with_the_routes_of_the_one_before() -> None:
    """A proxy that has the clusters of a phase already, or the routes of the last one still, is never without."""
    last = _only(_V1)
    for phase in phases(last, _only(_V3)):
        check(phase)
        check(Snapshot({**last.types, CLUSTER: phase.of_type(CLUSTER)}))
        last = phase


def test_a_cluster_only_added_needs_no_removal_phase() -> None:
    before = _only(_V1)
    after = build([service(versions=[_V1, _V3])], _GATEWAY)
    assert [phase.version for phase in phases(before, after)] == [after.version]


def test_a_cluster_that_changed_is_sent_in_its_new_form_at_once() -> None:
    before = _only(_V1)
    after = _only({**_V1, "endpoints": ["127.0.0.1:9001"]})
    (only,) = phases(before, after)
    assert only.version == after.version
