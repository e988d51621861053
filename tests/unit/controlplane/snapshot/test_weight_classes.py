"""Weight classes of a service, and where their members go, with the sidecar and without it."""

import pytest
from envoy_data_plane.envoy.config.route import v3 as route_v3

from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.route import build_routes
from controlplane.snapshot.weight_classes import WeightClass, class_of, classes_apart, everyone
from serinus.contract.bucket import bucket_of
from serinus.contract.weight import class_weight_bp
from tests.unit.controlplane.snapshot.envoy_model import Headers, cluster_of, route_of
from tests.unit.controlplane.snapshot.factory import SALT, STAFF, at, decoded_routes, service

_WEIGHTS = (0, 1, 100, 2_500, 5_000, 9_999, 10_000)


def _tier(name: str, factor: float) -> dict[str, object]:
    return {"name": name, "match": {"header": {"name": "x-tier", "exact": name}}, "weight_factor": factor}


COHORTS = [STAFF, _tier("gold", 0.5), _tier("early", 3), _tier("platinum", 0.5), _tier("plain", 1)]


def _service(weight_bp: int, **spec: object) -> ServiceRoute:
    return at(service(cohorts=COHORTS, **spec), weight_bp)


def _tagged(user: str, cohort: str, service: ServiceRoute) -> Headers:
    return {
        "x-user-id": [user.encode()],
        "x-tier": [cohort.encode()],
        "x-serinus-cohort": [cohort.encode()],
        "x-serinus-key": [f"{SALT}:{user}".encode()],
        "x-serinus-bucket": [b"%d" % bucket_of(SALT, user.encode())],
    }


def _metadata(route: route_v3.Route) -> dict[str, str]:
    assert route.metadata is not None
    fields = route.metadata.filter_metadata["serinus"].fields
    return {name: str(value.string_value) for name, value in fields.items()}


def test_cohorts_of_one_factor_are_one_class_and_factor_one_is_everyones() -> None:
    assert classes_apart(_service(1_000)) == (
        WeightClass("0.5", 500, ("gold", "platinum")),
        WeightClass("3", 3_000, ("early",)),
    )
    assert everyone(_service(1_000)) == WeightClass("1", 1_000)


def test_a_pinned_cohort_has_no_class() -> None:
    route = _service(1_000)
    assert class_of(route, route.spec.cohorts[0]) is None


def test_without_a_rollout_all_classes_are_at_nothing() -> None:
    assert [each.weight_bp for each in classes_apart(service(cohorts=COHORTS))] == [0, 0]
    assert len(build_routes(service(cohorts=COHORTS))) == 1


@pytest.mark.parametrize("weight_bp", _WEIGHTS)
@pytest.mark.parametrize("sticky", [{"header": "x-user-id"}, {"query": "user"}])
def test_each_class_has_a_route_that_says_its_name_and_its_weight(weight_bp: int, sticky: object) -> None:
    routes = {route.name: route for route in decoded_routes(build_routes(_service(weight_bp, sticky=sticky)))}
    for factor in ("0.5", "3"):
        of_class = routes[f"chat/class/{factor}"]
        expected_bp = class_weight_bp(weight_bp, factor)
        assert _metadata(of_class)["weight_class"] == factor
        assert _metadata(of_class)["weight_bp"] == str(expected_bp)
        assert of_class.route is not None
        assert of_class.route.weighted_clusters is not None
        clusters = [(each.name, each.weight) for each in of_class.route.weighted_clusters.clusters]
        assert clusters == [("chat/v2", expected_bp), ("chat/v1", 10_000 - expected_bp)]
    everyones = routes["chat/mix" if "chat/mix" in routes else "chat/tagged"]
    assert (_metadata(everyones)["weight_class"], _metadata(everyones)["weight_bp"]) == ("1", str(weight_bp))


@pytest.mark.parametrize("weight_bp", _WEIGHTS)
def test_a_user_of_a_class_has_one_bucket_and_the_weight_of_the_class_with_the_sidecar_and_without(
    weight_bp: int,
) -> None:
    service = _service(weight_bp)
    routes = decoded_routes(build_routes(service))
    for cohort, factor in (("gold", "0.5"), ("platinum", "0.5"), ("early", "3"), ("plain", "1"), ("none", "1")):
        for number in range(40):
            tagged = _tagged(f"u{number}", cohort, service)
            bucket = bucket_of(SALT, f"u{number}".encode())
            expected = "chat/v2" if bucket < class_weight_bp(weight_bp, factor) else "chat/v1"
            untagged = {name: values for name, values in tagged.items() if not name.startswith("x-serinus-")}
            assert cluster_of(routes, tagged) == expected
            assert cluster_of(routes, untagged) == expected


def test_a_member_without_a_key_goes_to_the_baseline() -> None:
    routes = decoded_routes(build_routes(_service(10_000)))
    assert cluster_of(routes, {"x-tier": [b"early"]}) == "chat/v1"
    assert cluster_of(routes, {"x-tier": [b"early"], "x-user-id": [b""]}) == "chat/v1"
    assert (
        cluster_of(routes, {"x-tier": [b"early"], "x-serinus-cohort": [b"early"], "x-serinus-pin": [b"v1"]})
        == "chat/v1"
    )


def test_where_envoy_cannot_read_the_key_an_untagged_member_goes_to_the_baseline() -> None:
    routes = decoded_routes(build_routes(_service(10_000, sticky={"cookie": "session"})))
    headers: Headers = {"x-tier": [b"early"], "cookie": [b"session=u"]}
    assert cluster_of(routes, headers) == "chat/v1"
    assert route_of(routes, headers).name == "chat/untagged/early"
