"""The filters of the listener, and what they let out to the sidecar."""

from dataclasses import replace
from typing import Any

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.access_loggers.grpc import v3 as grpc_log
from envoy_data_plane.envoy.extensions.common.matching import v3 as matching
from envoy_data_plane.envoy.extensions.filters.http.composite import v3 as composite
from envoy_data_plane.envoy.extensions.filters.http.ext_proc import v3 as ext_proc
from envoy_data_plane.envoy.extensions.filters.http.header_to_metadata import v3 as header_to_metadata
from envoy_data_plane.envoy.extensions.filters.http.set_filter_state import v3 as set_filter_state

from controlplane.snapshot.filters import (
    ROUTE_TAGS,
    access_log,
    build_tag_filter,
    http_filters,
    observe_sample,
    policy_headers,
)
from controlplane.snapshot.limits import build_limit_filter
from controlplane.snapshot.model import Gateway
from controlplane.snapshot.resource import Resource
from serinus.contract.logline import values_of
from tests.unit.controlplane.snapshot.factory import GOLD, STAFF, service


def _tag(forwarded: tuple[str, ...] = ("x-user-id",)) -> ext_proc.ExternalProcessor:
    body = build_tag_filter(Gateway(ext_proc_message_timeout_ms=50), forwarded).body
    config = core.TypedExtensionConfig.parse(body).typed_config
    assert config is not None
    return ext_proc.ExternalProcessor.parse(config.value)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"sticky": {"header": "X-User-Id"}}, ("x-user-id",)),
        ({"sticky": {"cookie": "session"}}, ("cookie",)),
        ({"sticky": {"query": "user"}}, (":path",)),
        ({"sticky": "request"}, ("x-request-id",)),
        ({"sticky": [{"header": "a"}, {"cookie": "b"}], "cohorts": [STAFF, GOLD]}, ("a", "cookie", "x-team", "x-tier")),
    ],
)
def test_the_sidecar_sees_the_headers_that_a_policy_reads_and_no_other(
    spec: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert policy_headers(service(**spec).spec) == set(expected)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"cookie": {"name": "plan", "exact": "gold"}}, {"cookie"}),
        ({"query": {"name": "q", "present": True}}, {":path"}),
        ({"path": {"prefix": "/v1"}}, {":path"}),
        ({"method": {"exact": "GET"}}, {":method"}),
        ({"source": {"in": ["10.0.0.0/8"]}}, {":source"}),
        ({"any": [{"header": {"name": "X-A", "exact": "1"}}, {"not": {"share": {"of": "1%"}}}]}, {"x-a"}),
    ],
    ids=str,
)
def test_the_sidecar_sees_what_a_condition_reads(match: dict[str, Any], expected: set[str]) -> None:
    cohort = {"name": "c", "match": match, "pin": "baseline"}
    assert policy_headers(service(cohorts=[cohort]).spec) == {"x-user-id"} | expected


def test_the_clients_address_is_an_attribute_and_sent_only_when_a_policy_asks() -> None:
    """No client can choose it: with use_remote_address it is the connection's own peer."""
    asked, plain = _tag((":source", "x-user-id")), _tag()
    assert asked.request_attributes == [*plain.request_attributes, "source.address"]
    assert asked.forward_rules == plain.forward_rules


def test_the_tag_filter_sends_one_message_and_goes_on_without_an_answer() -> None:
    tag = _tag()
    mode = tag.processing_mode
    assert mode is not None
    assert tag.failure_mode_allow
    assert tag.message_timeout is not None
    assert tag.message_timeout.total_seconds() == 0.05
    assert mode.request_header_mode is ext_proc.ProcessingModeHeaderSendMode.SEND
    assert mode.response_header_mode is ext_proc.ProcessingModeHeaderSendMode.SKIP
    assert mode.response_body_mode is ext_proc.ProcessingModeBodySendMode.NONE
    assert tag.grpc_service is not None
    assert tag.grpc_service.timeout is None, "it would bound the whole stream"


def test_the_filters_stand_in_this_order() -> None:
    """A cohort has its limit only once the request is tagged; what is over a limit needs no observing."""
    names = [item.name for item in http_filters()]
    assert names == [
        "serinus.tag",
        "serinus.native",
        "serinus.native-part",
        "serinus.limit",
        "serinus.observe",
        "serinus.observe-sample",
        "envoy.filters.http.router",
    ]


@pytest.mark.parametrize(
    ("position", "built"), [(0, build_tag_filter(Gateway(), ())), (3, build_limit_filter(()))], ids=["tag", "limit"]
)
def test_a_config_that_changes_comes_over_ads_under_the_name_of_its_filter(position: int, built: Resource) -> None:
    """Inside the listener a change would reach new connections only, and old ones after a drain."""
    item = http_filters()[position]
    assert item.config_discovery is not None
    assert item.config_discovery.config_source is not None
    assert item.config_discovery.config_source.ads is not None
    config = core.TypedExtensionConfig.parse(built.body)
    assert config.typed_config is not None
    assert (config.name, [config.typed_config.type_url]) == (item.name, item.config_discovery.type_urls)
    assert built.name == item.name


def test_only_named_headers_are_forwarded() -> None:
    rules = _tag(("cookie", "x-user-id")).forward_rules
    assert rules is not None
    assert rules.allowed_headers is not None
    assert [pattern.exact for pattern in rules.allowed_headers.patterns] == ["cookie", "x-user-id"]


def test_without_a_policy_nothing_is_forwarded() -> None:
    rules = _tag(()).forward_rules
    assert rules is not None
    assert rules.allowed_headers is not None
    assert [pattern.exact for pattern in rules.allowed_headers.patterns] == ["x-serinus-key"]


def test_the_observing_filter_waits_for_nothing_and_is_off_by_default() -> None:
    observing = http_filters()[4]
    assert observing.disabled
    assert observing.typed_config is not None
    observe = ext_proc.ExternalProcessor.parse(observing.typed_config.value)
    assert observe.observability_mode
    assert observe.grpc_service is not None
    assert observe.grpc_service.envoy_grpc is not None
    assert observe.grpc_service.envoy_grpc.cluster_name == "sidecar-observe"
    assert observe.response_attributes == ["request.id"]


def test_a_sample_is_drawn_by_a_filter_that_is_off_by_default_and_picks_nothing_by_itself() -> None:
    sampling = http_filters()[5]
    assert sampling.disabled
    assert sampling.typed_config is not None
    assert b"SkipFilter" in sampling.typed_config.value


@pytest.mark.parametrize("requests", [False, True])
def test_what_a_sample_picks_is_observed_like_all_others(requests: bool) -> None:
    per_route = matching.ExtensionWithMatcherPerRoute.parse(observe_sample(1_000, requests=requests))
    matcher = per_route.xds_matcher
    assert matcher is not None
    assert matcher.on_no_match is not None
    assert matcher.on_no_match.action is not None
    assert matcher.on_no_match.action.typed_config is not None
    picked = composite.ExecuteFilterAction.parse(matcher.on_no_match.action.typed_config.value)
    assert picked.sample_percent is not None
    assert picked.sample_percent.default_value is not None
    share = picked.sample_percent.default_value
    assert (share.numerator, share.denominator.name) == (1_000, "TEN_THOUSAND")
    assert picked.typed_config is not None
    assert picked.typed_config.typed_config is not None
    observe = ext_proc.ExternalProcessor.parse(picked.typed_config.typed_config.value)
    whole = http_filters()[4].typed_config
    assert whole is not None
    every = ext_proc.ExternalProcessor.parse(whole.value)
    assert observe.processing_mode is not None
    assert every.processing_mode is not None
    assert (observe.processing_mode.request_body_mode.name == "STREAMED") == requests
    assert replace(observe, processing_mode=None) == replace(every, processing_mode=None)


def test_what_notes_a_key_is_off_until_a_native_route_says_which() -> None:
    for item, empty in zip(http_filters()[1:3], (set_filter_state.Config(), header_to_metadata.Config()), strict=True):
        assert item.disabled
        assert item.typed_config is not None
        assert (item.typed_config.value, item.typed_config.type_url.rpartition(".")[0].count("v3")) == (bytes(empty), 1)


def test_the_log_entry_carries_the_route_and_where_the_request_ended() -> None:
    config = access_log().typed_config
    assert config is not None
    common = grpc_log.HttpGrpcAccessLogConfig.parse(config.value).common_config
    assert common is not None
    (tag,) = common.custom_tags
    assert (tag.tag, tag.value is not None) == ("serinus.line4", True)
    values = values_of(str(tag.value))
    assert {name: values[name] for name in ROUTE_TAGS} == {
        name: f"%METADATA(ROUTE:serinus:{name})%" for name in ROUTE_TAGS
    }
    assert (values["version"], values["flags"]) == ("%CLUSTER_METADATA(serinus:version)%", "%RESPONSE_FLAGS%")
    assert all(value.startswith("%") and " " not in value for value in values.values())


def test_a_token_is_sent_to_the_sidecar_where_a_service_takes_tokens() -> None:
    assert "serinus-token" not in policy_headers(service().spec)
    assert "serinus-token" in policy_headers(service(tokens={"key_file": "testers.key"}).spec)
