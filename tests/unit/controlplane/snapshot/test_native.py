"""Native routes do what the sidecar and the routes behind it would have done, request by request."""

import re
from dataclasses import replace
from typing import Any

import pytest
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.extensions.filters.http.header_to_metadata import v3 as header_to_metadata
from envoy_data_plane.envoy.extensions.filters.http.set_filter_state import v3 as set_filter_state
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.manifest import regex
from controlplane.snapshot.match import is_absent
from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.native import native_routes
from controlplane.snapshot.route import build_routes, service_snapshot
from serinus.contract.condition import Surroundings
from serinus.contract.policy import Assignment, CohortRule, ServicePolicy, evaluate
from tests.unit.controlplane.snapshot.envoy_model import Headers, cluster_of, rewritten, route_of
from tests.unit.controlplane.snapshot.factory import GOLD, SALT, STAFF, at, decoded_routes, service

EARLY = {"name": "early", "match": {"header": {"name": "x-wave", "regex": "[0-3]+"}}, "weight_factor": 3}
PEOPLE = {"name": "people", "match": {"not": {"header": {"name": "x-kind", "suffix": "bot"}}}, "exclude": True}
_COHORTS = [STAFF, GOLD, EARLY, PEOPLE]
_AROUND = Surroundings(regex=regex.matches)


def _native(**spec: Any) -> ServiceRoute:
    return service(datapath="native", **spec)


def _routes(route: ServiceRoute) -> list[route_v3.Route]:
    return decoded_routes(build_routes(route))


def _sidecars(route: ServiceRoute, headers: Headers) -> Assignment:
    candidate = route.rollout.candidate if route.rollout else ""
    rules = tuple(
        CohortRule(c.name, c.condition(route.name), c.version(baseline=route.baseline, candidate=candidate))
        for c in route.spec.cohorts
    )
    policy = ServicePolicy(route.name, route.salt, route.baseline, route.spec.sticky, rules)
    return evaluate(policy, lambda name: headers.get(name, []), _AROUND)


def _noted(route: route_v3.Route, headers: Headers) -> dict[str, bytes]:
    """What the access log says of a request: of the route's metadata, and by Envoy's filters."""
    said = _metadata(route)
    found = {name: str(said[name]).encode() for name in ("cohort", "pin") if name in said}
    if "serinus.native" in route.typed_per_filter_config:
        state = set_filter_state.Config.parse(route.typed_per_filter_config["serinus.native"].value)
        [value] = state.on_request_headers
        assert (value.object_key, value.factory_key) == ("serinus.key", "envoy.string")
        assert value.format_string is not None
        assert value.format_string.text_format_source is not None
        text = value.format_string.text_format_source.inline_string or ""
        salt, name = re.fullmatch(r"(.*):%REQ\((.*)\)%", text).groups()  # type: ignore[union-attr]
        found["key"] = salt.replace("%%", "%").encode() + b":" + headers[name][0]
    if "serinus.native-part" in route.typed_per_filter_config:
        config = header_to_metadata.Config.parse(route.typed_per_filter_config["serinus.native-part"].value)
        [rule] = config.request_rules
        pair = rule.on_header_present
        assert pair is not None
        assert (pair.metadata_namespace, pair.key) == ("serinus", "key")
        assert pair.regex_value_rewrite is not None
        found["key"] = rewritten(pair.regex_value_rewrite, headers[rule.header][0])
    return found


_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "x-user-id": st.sampled_from([[b""], [b"a,b"], [b"a b"], *([b"u%d" % each] for each in range(40))]),
        "x-team": st.sampled_from([[b"ml"], [b"ops"], [b""]]),
        "x-tier": st.sampled_from([[b"gold"], [b"plat.num"], [b"platinum"]]),
        "x-wave": st.sampled_from([[b"12"], [b"4"]]),
        "x-kind": st.sampled_from([[b"robot"], [b"human"], [b""]]),
    },
)
_SPECS = [_native(cohorts=_COHORTS), _native(cohorts=_COHORTS[:3]), _native()]
_WORLDS = [
    route
    for spec in _SPECS
    for route in (spec, at(spec, 0, pins=False), at(spec, 2_500), at(spec, 5_000), at(spec, 10_000))
]
_BUILT = [(route, _routes(route)) for route in _WORLDS]


@settings(deadline=None, max_examples=500)
@given(world=st.sampled_from(_BUILT), headers=_HEADERS)
def test_a_native_route_notes_and_does_what_the_sidecar_would_have(
    world: tuple[ServiceRoute, list[route_v3.Route]], headers: Headers
) -> None:
    service_route, routes = world
    said = _sidecars(service_route, headers)
    taken = route_of(routes, headers)
    if "/native/" not in taken.name:
        assert headers["x-user-id"][0] in (b"a,b", b"a b"), "only a key that Envoy could read otherwise is asked about"
        return
    noted = _noted(taken, headers)
    assert noted["cohort"] == said.cohort.encode()
    assert noted.get("pin") == (said.pin.encode() if said.pin is not None else None)
    assert noted.get("key") == (f"{SALT}:".encode() + said.key if said.key is not None else None)
    tags: Headers = {"x-serinus-cohort": [said.cohort.encode()]}
    if said.key is not None:
        tags |= {"x-serinus-key": [f"{SALT}:".encode() + said.key], "x-serinus-bucket": [b"%d" % (said.bucket or 0)]}
    if said.pin is not None:
        tags |= {"x-serinus-pin": [said.pin.encode()]}
    behind = [route for route in routes if "/native/" not in route.name]
    assert cluster_of(routes, headers) == cluster_of(behind, {**headers, **tags})
    after = route_of(behind, {**headers, **tags})
    own = {"cohort", "pin"}
    place = {name: value for name, value in _metadata(taken).items() if name not in own}
    assert place == _metadata(after), "evidence counts it in the same place"


def _metadata(route: route_v3.Route) -> dict[str, str | None]:
    assert route.metadata is not None
    return {key: value.string_value for key, value in route.metadata.filter_metadata["serinus"].fields.items()}


def test_on_a_native_route_the_sidecar_is_not_asked_but_may_observe() -> None:
    routes = _routes(at(_native(protocol="openai", observe={"body": True}, cohorts=[STAFF]), 100))
    for route in routes:
        is_native = "/native/" in route.name
        assert ("serinus.tag" in route.typed_per_filter_config) == is_native
        is_keyed = is_native and any(
            rule.string_match is not None and rule.string_match.safe_regex for rule in route.match.headers
        )  # type: ignore[union-attr]
        assert ("serinus.native" in route.typed_per_filter_config) == is_keyed
        assert "serinus.observe" in route.typed_per_filter_config
    config = route_v3.FilterConfig.parse(routes[0].typed_per_filter_config["serinus.tag"].value)
    assert config.disabled


@pytest.mark.parametrize(
    ("sticky", "headers"),
    [
        ({"cookie": "uid"}, {"cookie": [b"a=b; uid=u1; c=d"]}),
        ({"query": "user"}, {":path": [b"/v1?a=b&user=u1"]}),
        ({"header": "x%user"}, {"x%user": [b"u1"]}),
    ],
    ids=["cookie", "query", "a name that is no name in a command"],
)
def test_a_key_that_is_a_part_of_a_header_is_cut_out_of_it(sticky: dict[str, str], headers: Headers) -> None:
    routes = _routes(at(_native(sticky=sticky), 100))
    assert _noted(route_of(routes, headers), headers) == {"cohort": b"everyone", "key": f"{SALT}:u1".encode()}


def test_the_data_path_is_no_part_of_what_decides_a_version() -> None:
    """So evidence of one path and of the other is evidence under one routing."""
    assert service_snapshot(at(_native(), 100)) == service_snapshot(at(service(), 100))
    assert service_snapshot(at(_native(cohorts=_COHORTS), 100)) == service_snapshot(at(service(cohorts=_COHORTS), 100))


def test_a_service_through_the_sidecar_has_no_native_route() -> None:
    assert native_routes(at(service(), 100)) == ()
    assert native_routes(at(service(datapath="auto", cohorts=[{**STAFF, "match": {"share": {"of": "1%"}}}]), 1)) == ()


def test_by_the_request_id_there_is_always_a_key() -> None:
    names = [item.name for item in native_routes(at(_native(sticky="request", cohorts=[STAFF]), 100))]
    assert names == ["native/staff", "native/everyone"]


def test_what_a_token_says_only_the_sidecar_can_tell() -> None:
    routes = native_routes(at(_native(tokens={"key_file": "keys"}), 100))
    assert routes
    assert all(item.matchers[-1] == is_absent("serinus-token") for item in routes)


@pytest.mark.parametrize("salt", [r"a\1b", "chat-v2.3", "100%"])
def test_a_salt_means_itself(salt: str) -> None:
    routes = _routes(at(replace(_native(), salt=salt), 100))
    assert _noted(routes[0], {"x-user-id": [b"u"]})["key"] == f"{salt}:u".encode()
