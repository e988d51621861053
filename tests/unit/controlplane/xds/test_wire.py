"""Bytes: what we parse was encoded by another library, and what we build is read by another library."""

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.service.discovery import v3 as discovery
from envoy_data_plane.google.rpc import Status

from controlplane.snapshot.resource import CLUSTER, ROUTE, ResourceSet, resource
from controlplane.xds.errors import StreamError
from controlplane.xds.stream import Node, Request
from controlplane.xds.wire import REQUEST_BYTES_MAX, parse_request, response_prefix, with_nonce

_SET = ResourceSet.of((resource("a", CLUSTER, b"body a"), resource("b", CLUSTER, b"\xff" * 300)))


def test_a_response_reads_as_envoys_own_message() -> None:
    data = with_nonce(response_prefix(CLUSTER, _SET, "serinus"), "7")
    read = discovery.DiscoveryResponse.parse(data)
    assert (read.version_info, read.type_url, read.nonce) == (_SET.version, CLUSTER, "7")
    assert [(item.type_url, item.value) for item in read.resources] == [(CLUSTER, b"body a"), (CLUSTER, b"\xff" * 300)]
    assert read.control_plane is not None
    assert read.control_plane.identifier == "serinus"


def test_an_empty_set_is_a_response_without_resources() -> None:
    read = discovery.DiscoveryResponse.parse(with_nonce(response_prefix(CLUSTER, ResourceSet(), "x"), "1"))
    assert read.resources == []
    assert read.version_info == ResourceSet().version


def test_a_request_is_read_as_envoy_encodes_it() -> None:
    sent = discovery.DiscoveryRequest(
        version_info="4",
        node=core.Node(id="envoy-1", cluster="edge"),
        resource_names=["services"],
        type_url=ROUTE,
        response_nonce="9",
        error_detail=Status(code=13, message="Sum of weights"),
    )
    assert parse_request(bytes(sent)) == Request(
        ROUTE, ("services",), version="4", nonce="9", error="Sum of weights", node=Node("envoy-1", "edge")
    )


def test_an_error_detail_without_words_is_a_refusal_all_the_same() -> None:
    sent = discovery.DiscoveryRequest(type_url=ROUTE, response_nonce="9", error_detail=Status())
    assert parse_request(bytes(sent)).error == ""
    assert parse_request(bytes(discovery.DiscoveryRequest(type_url=ROUTE))).error is None


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\xff", b"\x0a\x02\xff\xfe"])
def test_garbage_is_a_typed_error(data: bytes) -> None:
    with pytest.raises(StreamError, match="no DiscoveryRequest"):
        parse_request(data)


def test_a_request_over_the_bound_is_not_even_parsed() -> None:
    with pytest.raises(StreamError, match="at most"):
        parse_request(b"\0" * (REQUEST_BYTES_MAX + 1))
