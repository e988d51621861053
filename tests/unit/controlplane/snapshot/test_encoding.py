"""Joining encoded parts gives the same message as encoding the whole."""

import pytest
from envoy_data_plane.envoy.config.cluster import v3 as cluster_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route_v3

from controlplane.snapshot.encoding import from_ads, length_delimited, milliseconds, packed, response_header


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 300_000])
def test_a_field_joined_by_hand_reads_as_if_it_had_been_encoded(size: int) -> None:
    name = "x" * size
    assert route_v3.VirtualHost.parse(length_delimited(1, name.encode())).name == name


def test_a_field_number_above_15_takes_two_bytes_of_tag() -> None:
    assert cluster_v3.Cluster.parse(length_delimited(28, b"x")).alt_stat_name == "x"


def test_repeated_parts_are_appended() -> None:
    joined = b"".join(length_delimited(2, bytes(route_v3.VirtualHost(name=name))) for name in ("a", "b"))
    assert [host.name for host in route_v3.RouteConfiguration.parse(joined).virtual_hosts] == ["a", "b"]


def test_a_response_header_replaces_what_the_upstream_sent() -> None:
    option = response_header("x-serinus-version", "v2")
    assert option.append_action is core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD


def test_what_comes_over_ads_says_so_in_version_3() -> None:
    source = from_ads()
    assert source.ads is not None
    assert source.resource_api_version is core.ApiVersion.V3


def test_an_extension_is_packed_under_its_type() -> None:
    config = packed(core.HttpProtocolOptions(idle_timeout=milliseconds(4_000)), "envoy.config.core.v3.X")
    assert config.type_url == "type.googleapis.com/envoy.config.core.v3.X"
    idle = core.HttpProtocolOptions.parse(config.value).idle_timeout
    assert idle is not None
    assert idle.total_seconds() == 4
