"""The routes of one service: who goes where, with the sidecar and without it."""

import pytest
from envoy_data_plane.envoy.config.route import v3 as route_v3
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.manifest import regex
from controlplane.snapshot.errors import UnknownVersionError, WeightError
from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.route import build_routes, service_snapshot
from serinus.contract.arm import Arm
from serinus.contract.bucket import bucket_of, salted_key
from serinus.contract.condition import Surroundings
from serinus.contract.policy import CohortRule, ServicePolicy, evaluate
from serinus.contract.weight import arm_of_bucket
from tests.unit.controlplane.snapshot.drawn import service_routes
from tests.unit.controlplane.snapshot.envoy_model import cluster_of, route_of
from tests.unit.controlplane.snapshot.factory import GOLD, SALT, STAFF, at, decoded_routes, service
from tests.unit.controlplane.snapshot.route_oracle import expected_routes

Headers = dict[str, list[bytes]]
_AROUND = Surroundings(now_s=0, regex=regex.matches, in_list=lambda _name, text: text == b"listed")


def _routes(route: ServiceRoute) -> list[route_v3.Route]:
    return decoded_routes(build_routes(route))


def _tagged(route: ServiceRoute, headers: Headers) -> Headers:
    """The request as the sidecar sends it on."""
    rollout = route.rollout
    candidate = rollout.candidate if rollout else ""
    rules = tuple(
        CohortRule(c.name, c.condition(route.name), c.version(baseline=route.baseline, candidate=candidate))
        for c in route.spec.cohorts
    )
    policy = ServicePolicy(route.name, route.salt, route.baseline, route.spec.sticky, rules)
    got = evaluate(policy, lambda name: headers.get(name, []), _AROUND)
    tags: Headers = {"x-serinus-cohort": [got.cohort.encode()]}
    if got.key is not None:
        tags["x-serinus-key"] = [salted_key(policy.salt, got.key)]
        tags["x-serinus-bucket"] = [str(got.bucket).encode()]
    if got.pin is not None:
        tags["x-serinus-pin"] = [got.pin.encode()]
    return {**headers, **tags}


def _expected(user: bytes, weight_bp: int) -> str:
    arm = arm_of_bucket(bucket_of(SALT, user), weight_bp)
    return "chat/v2" if arm is Arm.CANDIDATE else "chat/v1"


# What a header value can hold: no control bytes but the tab, no outer blanks.
_BYTES = st.integers(0x20, 0xFF).filter(lambda byte: byte != 0x7F) | st.just(0x09)
_USERS = st.lists(_BYTES, min_size=1, max_size=20).map(lambda raw: bytes(raw).strip(b" \t")).filter(bool)
_WEIGHTS = (0, 1, 137, 2_500, 5_000, 9_999, 10_000)
# Reading takes milliseconds (envoy-data-plane), so the routes of a weight are read once.
_MIX = {weight_bp: _routes(at(service(), weight_bp)) for weight_bp in _WEIGHTS}


@settings(deadline=None)
@given(route=service_routes())
def test_another_implementation_reads_what_was_meant_and_nothing_else(route: ServiceRoute) -> None:
    encoded, expected = build_routes(route), expected_routes(route)
    assert decoded_routes(encoded) == expected
    assert [len(body) for body in encoded] == [len(bytes(again)) for again in expected], "a field that it does not know"


@settings(deadline=None)
@given(user=_USERS, weight_bp=st.sampled_from(_WEIGHTS))
def test_a_user_goes_where_the_bucket_says_with_the_sidecar_and_without_it(user: bytes, weight_bp: int) -> None:
    headers = {"x-user-id": [user]}
    assert cluster_of(_MIX[weight_bp], _tagged(at(service(), weight_bp), headers)) == _expected(user, weight_bp)
    assert cluster_of(_MIX[weight_bp], headers) == _expected(user, weight_bp)


@settings(deadline=None)
@given(user=_USERS)
def test_nobody_leaves_the_candidate_while_the_weight_grows(user: bytes) -> None:
    clusters = [cluster_of(_MIX[weight_bp], {"x-user-id": [user]}) for weight_bp in _WEIGHTS]
    assert clusters == sorted(clusters, key=str), "v1 as long as it is, then v2"


@pytest.mark.parametrize("sticky", [{"cookie": "session"}, {"query": "user"}, [{"header": "a"}, {"header": "b"}]])
def test_a_key_that_envoy_cannot_read_alone_is_placed_by_the_tag_and_without_one_by_the_baseline(
    sticky: object,
) -> None:
    route = at(service(sticky=sticky), 10_000)
    headers: Headers = {"cookie": [b"session=u"], ":path": [b"/?user=u"], "a": [b"u"]}
    routes = _routes(route)
    assert cluster_of(routes, _tagged(route, headers)) == "chat/v2"
    assert cluster_of(routes, headers) == "chat/v1"


def test_the_request_id_is_a_plain_key() -> None:
    route = at(service(sticky="request"), 2_500)
    routes = _routes(route)
    for number in range(50):
        request_id = f"id-{number}".encode()
        assert cluster_of(routes, {"x-request-id": [request_id]}) == _expected(request_id, 2_500)


@pytest.mark.parametrize("headers", [{}, {"x-user-id": [b""]}])
def test_without_a_key_a_request_goes_to_the_baseline(headers: Headers) -> None:
    route = at(service(), 10_000)
    assert cluster_of(_routes(route), headers) == "chat/v1"
    assert cluster_of(_routes(route), _tagged(route, headers)) == "chat/v1"


def test_a_pinned_cohort_reaches_its_version_through_the_tag_only() -> None:
    """Only the sidecar may send anybody to a pinned version: without it a pinned cohort gets the baseline."""
    route = at(service(cohorts=[STAFF, GOLD]), 10_000)
    routes = _routes(route)
    gold = {"x-tier": [b"gold"], "x-user-id": [b"u"]}
    assert cluster_of(routes, _tagged(route, gold)) == "chat/v1"
    assert cluster_of(routes, gold) == "chat/v1"
    early = at(service(cohorts=[STAFF, GOLD]), 0)
    staff = {"x-team": [b"ml"], "x-user-id": [b"u"]}
    assert cluster_of(_routes(early), _tagged(early, staff)) == "chat/v2"
    assert cluster_of(_routes(early), staff) == "chat/v1"
    assert cluster_of(routes, staff) == "chat/v1"


def test_after_a_rollback_no_pin_reaches_the_candidate() -> None:
    route = at(service(cohorts=[STAFF]), 0, pins=False)
    staff = {"x-team": [b"ml"], "x-user-id": [b"u"]}
    assert cluster_of(_routes(route), _tagged(route, staff)) == "chat/v1"


def test_a_tagged_request_never_takes_the_route_of_untagged_cohorts() -> None:
    """The sidecar always sets x-serinus-cohort, also where a cohort has no pin in force."""
    route = at(service(cohorts=[STAFF]), 10_000)
    headers = {"x-team": [b"ml"], "x-serinus-cohort": [b"staff"], "x-user-id": [b"u"]}
    assert route_of(_routes(route), headers).name == "chat/mix"


def test_without_a_rollout_there_is_one_route() -> None:
    (only,) = _routes(service(cohorts=[STAFF]))
    assert (only.name, only.route.cluster if only.route else "") == ("chat/baseline", "chat/v1")


def test_the_candidate_stands_first_and_the_total_is_10000() -> None:
    (mix,) = (route for route in _routes(at(service(), 137)) if route.name == "chat/mix")
    assert mix.route is not None
    assert mix.route.weighted_clusters is not None
    clusters = mix.route.weighted_clusters.clusters
    assert [(cluster.name, cluster.weight) for cluster in clusters] == [("chat/v2", 137), ("chat/v1", 9_863)]
    assert mix.route.weighted_clusters.use_hash_policy


def test_every_route_says_its_version_to_the_client() -> None:
    for route in _routes(at(service(cohorts=[STAFF]), 500)):
        assert route.route is not None
        if route.route.weighted_clusters is None:
            options = {route.route.cluster: route.response_headers_to_add}
        else:
            options = {c.name: c.response_headers_to_add for c in route.route.weighted_clusters.clusters}
        for cluster, (option,) in options.items():
            assert option.header is not None
            assert (option.header.key, f"chat/{option.header.value}") == ("x-serinus-version", cluster)


def test_every_answer_of_a_service_with_feedback_carries_an_id_for_it_and_no_other() -> None:
    first, *others = _routes(at(service(cohorts=[STAFF], feedback={"token_file": "chat.feedback"}), 500))
    assert (first.name, first.response_headers_to_add) == ("chat/feedback", [])
    for route in others:
        ids = [option.header.value for option in route.response_headers_to_add if option.header.key.endswith("-id")]
        assert ids == [
            "%DYNAMIC_METADATA(serinus:stamp)%.%METADATA(ROUTE:serinus:snapshot)%.%CLUSTER_METADATA(serinus:version)%"
        ]
    for route in _routes(at(service(cohorts=[STAFF]), 500)):
        assert "x-serinus-request-id" not in [option.header.key for option in route.response_headers_to_add]


def test_no_timeout_and_one_retry_before_anything_was_sent() -> None:
    for route in _routes(at(service(), 500)):
        assert route.route is not None
        assert route.route.timeout is not None
        assert route.route.retry_policy is not None
        assert route.route.timeout.total_seconds() == 0
        assert (route.route.retry_policy.retry_on, route.route.retry_policy.num_retries) == ("reset-before-request", 1)


def test_a_grpc_timeout_of_the_client_is_the_servers_business() -> None:
    """Envoy cuts a call short by that header only where `max_stream_duration` or `max_grpc_timeout` is set."""
    for route in _routes(at(service(), 500)):
        assert route.route is not None
        assert route.route.max_stream_duration is None
        assert route.route.max_grpc_timeout is None


def test_a_websocket_passes_on_every_route_of_a_service_that_allows_it_and_on_no_other() -> None:
    """Envoy decides at a request's first route, before the tags."""
    for route in _routes(at(service(upgrades=["websocket"], cohorts=[STAFF]), 500)):
        assert route.route is not None
        assert [upgrade.upgrade_type for upgrade in route.route.upgrade_configs] == ["websocket"]
        assert [upgrade.enabled for upgrade in route.route.upgrade_configs] == [None], "as by default: true"
    for route in _routes(at(service(cohorts=[STAFF]), 500)):
        assert route.route is not None
        assert route.route.upgrade_configs == []


def test_metadata_tells_the_sidecar_and_the_log_all_they_need() -> None:
    route = at(service(), 500)
    for decoded in _routes(route):
        fields = decoded.metadata.filter_metadata["serinus"].fields if decoded.metadata else {}
        assert {key: value.string_value for key, value in fields.items()} == {
            "service": "chat",
            "rollout": "chat-v2",
            "snapshot": service_snapshot(route),
            "weight_bp": "500",
            "weight_class": "1",
            "candidate": "v2",
            "baseline": "v1",
        }
    (alone,) = _routes(service())
    fields = alone.metadata.filter_metadata["serinus"].fields if alone.metadata else {}
    assert [fields[key].string_value for key in ("rollout", "weight_bp", "candidate")] == ["", "0", ""]


def test_observation_is_on_for_every_route_of_a_service_that_asks_and_no_other() -> None:
    """Envoy picks a request's filters at its first route, before the tags; so one route without it would miss some."""
    observed = at(service(protocol="openai", observe={"body": True}, cohorts=[STAFF]), 500)
    assert all("serinus.observe" in route.typed_per_filter_config for route in _routes(observed))
    not_openai = at(service(observe={"body": True}), 500)
    assert not any(route.typed_per_filter_config for route in _routes(not_openai))


def test_a_service_of_which_a_sample_is_observed_has_the_sampling_filter_instead() -> None:
    for sample, expected in (("10%", ["serinus.observe-sample"]), ("100%", ["serinus.observe"]), ("0%", [])):
        sampled = at(service(protocol="kserve-v2", observe={"body": True, "sample": sample}), 500)
        assert {tuple(route.typed_per_filter_config) for route in _routes(sampled)} == {tuple(expected)}


@pytest.mark.parametrize("weight_bp", [-1, 10_001])
def test_a_weight_out_of_range_is_refused(weight_bp: int) -> None:
    with pytest.raises(WeightError, match="10000"):
        build_routes(at(service(), weight_bp))


def test_an_unknown_candidate_or_baseline_is_refused() -> None:
    with pytest.raises(UnknownVersionError, match="candidate 'v9'"):
        build_routes(at(service(), 1, candidate="v9"))
    with pytest.raises(UnknownVersionError, match="baseline 'v7'"):
        build_routes(service(baseline="v7"))


_SIDECAR_ONLY = [
    {"header": {"name": "x-team", "modulo": {"of": 2, "is": [0]}}},
    {"not": {"header": {"name": "x-team", "modulo": {"of": 2, "is": [1]}}}},
    {"all": [{"header": {"name": "x-team", "exact": "ml"}}, {"share": {"of": "100%"}}]},
    {"key": {"in_file": "listed.txt"}},
]


@pytest.mark.parametrize("match", _SIDECAR_ONLY, ids=str)
@pytest.mark.parametrize("goes", [{"pin": "candidate"}, {"pin": "baseline"}, {"exclude": True}], ids=str)
def test_with_the_sidecar_away_nobody_whom_only_it_can_tell_reaches_the_candidate(
    match: dict[str, object], goes: dict[str, object]
) -> None:
    """Such a service is not *mix*: untagged, everybody gets the baseline, at whatever weight."""
    route = at(service(cohorts=[{"name": "c", "match": match, **goes}]), 10_000)
    routes = _routes(route)
    user = {"x-user-id": [b"listed"], "x-team": [b"ml" if "ml" in str(match) else b"2"]}
    assert cluster_of(routes, user) == "chat/v1"
    pinned = "chat/v2" if goes == {"pin": "candidate"} else "chat/v1"
    assert cluster_of(routes, _tagged(route, user)) == pinned
    everyone = {"x-user-id": [b"u"], "x-team": [b"3"]}
    if "share" not in str(match):
        assert cluster_of(routes, _tagged(route, everyone)) == "chat/v2"
    assert cluster_of(routes, everyone) == "chat/v1", "the price: while the sidecar is away nobody is on the candidate"


def test_an_excluded_cohort_that_envoy_can_tell_costs_nobody_else_the_candidate() -> None:
    bots = {"any": [{"header": {"name": "x-bot", "present": True}}, {"method": {"exact": "HEAD"}}]}
    route = at(service(cohorts=[{"name": "bots", "match": bots, "exclude": True}]), 10_000)
    routes = _routes(route)
    for bot in ({"x-bot": [b""]}, {":method": [b"HEAD"]}):
        assert cluster_of(routes, {"x-user-id": [b"u"], **bot}) == "chat/v1"
        assert cluster_of(routes, _tagged(route, {"x-user-id": [b"u"], **bot})) == "chat/v1"
    assert cluster_of(routes, {"x-user-id": [b"u"]}) == "chat/v2"
