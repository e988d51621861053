"""What the limiting filter is told."""

from datetime import timedelta
from typing import Any

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.extensions.common.ratelimit import v3 as descriptor_v3
from envoy_data_plane.envoy.extensions.filters.http.local_ratelimit import v3 as local_ratelimit
from envoy_data_plane.envoy.type import v3 as type_v3

from controlplane.snapshot.limits import LIMIT_TYPE, build_limit_filter, limit_descriptors
from controlplane.snapshot.model import ServiceRoute
from tests.unit.controlplane.snapshot.factory import GOLD, STAFF, at, service

Key = tuple[tuple[str, str], ...]


def _config(*services: ServiceRoute) -> local_ratelimit.LocalRateLimit:
    body = build_limit_filter(bucket for item in services for bucket in limit_descriptors(item)).body
    config = core.TypedExtensionConfig.parse(body).typed_config
    assert config is not None
    assert config.type_url == f"type.googleapis.com/{LIMIT_TYPE}"
    return local_ratelimit.LocalRateLimit.parse(config.value)


def _buckets(*services: ServiceRoute) -> dict[Key, tuple[int, int]]:
    """Key -> (requests a second, burst)."""
    found = {}
    for item in _config(*services).descriptors:
        bucket = item.token_bucket
        assert bucket is not None
        assert bucket.fill_interval == timedelta(seconds=1)
        assert bucket.tokens_per_fill is not None
        key = tuple((entry.key, entry.value) for entry in item.entries)
        assert key not in found, "Envoy refuses two of one key"
        found[key] = (bucket.tokens_per_fill, bucket.max_tokens)
    return found


def _of(version: str) -> Key:
    return (("destination_cluster", f"chat/{version}"),)


def _cohort(name: str, of: str = "chat") -> Key:
    return (("service", of), ("cohort", name))


def test_without_limits_the_filter_is_there_and_does_nothing() -> None:
    """So that a limit that comes later touches no listener."""
    assert _config(at(service(), 500)) == local_ratelimit.LocalRateLimit(stat_prefix="limit")


def test_a_limit_is_a_descriptor_that_another_implementation_reads() -> None:
    (descriptor,) = limit_descriptors(service(limits={"v2": {"requests_per_second": 5, "burst": 9}}))
    assert descriptor_v3.LocalRateLimitDescriptor.parse(descriptor) == descriptor_v3.LocalRateLimitDescriptor(
        entries=[descriptor_v3.RateLimitDescriptorEntry(key="destination_cluster", value="chat/v2")],
        token_bucket=type_v3.TokenBucket(max_tokens=9, tokens_per_fill=5, fill_interval=timedelta(seconds=1)),
    )


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"v2": {"requests_per_second": 5}}, {_of("v2"): (5, 5)}),
        ({"v2": {"requests_per_second": 5, "burst": 50}}, {_of("v2"): (5, 50)}),
        ({"v2": {"requests_per_second": 5, "burst": 1}}, {_of("v2"): (5, 1)}),
        ({"candidate": {"requests_per_second": 5}}, {_of("v2"): (5, 5)}),
        ({"baseline": {"requests_per_second": 5}}, {_of("v1"): (5, 5)}),
        ({"candidate": {"requests_per_second": 5}, "v2": {"requests_per_second": 3, "burst": 9}}, {_of("v2"): (3, 5)}),
        ({"v1": {"concurrent": 5}}, {}),
        ({"staff": {"requests_per_second": 5}}, {_cohort("staff"): (5, 5)}),
        ({"gold": {"requests_per_second": 5, "burst": 9}}, {_cohort("gold"): (5, 9)}),
    ],
)
def test_each_name_has_its_bucket(limits: dict[str, Any], expected: dict[Key, tuple[int, int]]) -> None:
    assert _buckets(at(service(cohorts=[STAFF, GOLD], limits=limits), 500)) == expected


def test_an_arms_limit_goes_with_the_arm() -> None:
    limits = {"candidate": {"requests_per_second": 5}, "baseline": {"requests_per_second": 9}}
    assert _buckets(service(limits=limits)) == {_of("v1"): (9, 9)}
    assert _buckets(at(service(limits=limits), 500)) == {_of("v1"): (9, 9), _of("v2"): (5, 5)}
    assert _buckets(service(limits=limits, baseline="v2")) == {_of("v2"): (9, 9)}


def test_cohorts_of_one_name_in_two_services_have_a_bucket_each() -> None:
    limits = {"staff": {"requests_per_second": 5}}
    services = [service(name, cohorts=[STAFF], limits=limits, prefix=f"/{name}/") for name in "ab"]
    assert set(_buckets(*services)) == {_cohort("staff", "a"), _cohort("staff", "b")}


def test_with_a_limit_every_request_is_counted_by_version_and_by_cohort() -> None:
    config = _config(service(limits={"v1": {"requests_per_second": 5}}))
    for fraction in (config.filter_enabled, config.filter_enforced):
        assert fraction is not None
        assert fraction.default_value == type_v3.FractionalPercent(numerator=100)
    assert config.token_bucket is None, "what matches no descriptor passes"
    assert config.status is None, "429 as by default"
    version, *cohorts = (list(limit.actions) for limit in config.rate_limits)
    assert version == [
        route_v3.RateLimitAction(destination_cluster=route_v3.RateLimitActionDestinationCluster()),
    ]
    sources = route_v3.RateLimitActionMetaDataSource
    for told, cohort in zip((sources.DYNAMIC, sources.ROUTE_ENTRY), cohorts, strict=True):
        metadata, noted = cohort[0].metadata, cohort[1].metadata
        assert metadata is not None
        assert metadata.metadata_key is not None
        assert (metadata.source, metadata.descriptor_key) == (sources.ROUTE_ENTRY, "service")
        assert (metadata.metadata_key.key, [s.key for s in metadata.metadata_key.path]) == ("serinus", ["service"])
        assert noted is not None
        assert noted.metadata_key is not None
        assert (noted.source, noted.descriptor_key) == (told, "cohort")
        assert (noted.metadata_key.key, [step.key for step in noted.metadata_key.path]) == ("serinus", ["cohort"])
        assert not noted.skip_if_absent, "of whom nothing is known there is no cohort, and no bucket of one"
