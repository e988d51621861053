"""Bytes: what we parse was encoded by another library, and what we build is read by another library."""

from collections.abc import Callable

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.service.discovery import v3 as discovery
from envoy_data_plane.envoy.type import v3 as envoy_type
from envoy_data_plane.google.rpc import Status

from controlplane.snapshot.resource import CLUSTER, ROUTE, ResourceSet, resource
from controlplane.xds.errors import StreamError
from controlplane.xds.events import DeltaRequest, DeltaSend, Node, Request, Send
from controlplane.xds.wire import (
    REQUEST_BYTES_MAX,
    delta_response_prefix,
    parse_delta_request,
    parse_request,
    response_prefix,
    with_nonce,
)

_A, _B = resource("a", CLUSTER, b"body a"), resource("b", CLUSTER, b"\xff" * 300)
_SET = ResourceSet.of((_A, _B))
_PARSERS = pytest.mark.parametrize("parse", [parse_request, parse_delta_request])
_Parse = Callable[[bytes], Request | DeltaRequest]


def test_a_response_reads_as_envoys_own_message() -> None:
    """The version is that of all that the client holds then, which a response may tell only a part of."""
    read = discovery.DiscoveryResponse.parse(
        with_nonce(response_prefix(Send(CLUSTER, "7", _SET, "whole"), "serinus"), "7")
    )
    assert (read.version_info, read.type_url, read.nonce) == ("whole", CLUSTER, "7")
    assert [(item.type_url, item.value) for item in read.resources] == [(CLUSTER, b"body a"), (CLUSTER, b"\xff" * 300)]
    assert read.control_plane is not None
    assert read.control_plane.identifier == "serinus"


def test_an_empty_set_is_a_response_without_resources() -> None:
    empty = Send(CLUSTER, "1", ResourceSet(), ResourceSet().version)
    read = discovery.DiscoveryResponse.parse(with_nonce(response_prefix(empty, "x"), "1"))
    assert read.resources == []
    assert read.version_info == ResourceSet().version


def test_an_incremental_response_reads_as_envoys_own_message() -> None:
    send = DeltaSend(CLUSTER, "7", (_A, _B), ("gone", "also"), "whole")
    read = discovery.DeltaDiscoveryResponse.parse(with_nonce(delta_response_prefix(send, "serinus"), "7"))
    assert (read.system_version_info, read.type_url, read.nonce) == ("whole", CLUSTER, "7")
    assert [(item.name, item.version) for item in read.resources] == [("a", _A.version), ("b", _B.version)]
    bodies = [item.resource for item in read.resources if item.resource is not None]
    assert [(body.type_url, body.value) for body in bodies] == [(CLUSTER, b"body a"), (CLUSTER, b"\xff" * 300)]
    assert read.removed_resources == ["gone", "also"]
    assert read.control_plane is not None
    assert read.control_plane.identifier == "serinus"


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


def test_an_incremental_request_is_read_as_envoy_encodes_it() -> None:
    sent = discovery.DeltaDiscoveryRequest(
        node=core.Node(
            id="envoy-1",
            cluster="edge",
            user_agent_build_version=core.BuildVersion(
                version=envoy_type.SemanticVersion(major_number=1, minor_number=40)
            ),
        ),
        type_url=ROUTE,
        resource_names_subscribe=["services", "more"],
        resource_names_unsubscribe=["less"],
        initial_resource_versions={"services": "4"},
        response_nonce="9",
        error_detail=Status(code=13, message="Sum of weights"),
    )
    assert parse_delta_request(bytes(sent)) == DeltaRequest(
        ROUTE,
        subscribe=("services", "more"),
        unsubscribe=("less",),
        initial={"services": "4"},
        nonce="9",
        error="Sum of weights",
        node=Node("envoy-1", "edge", "1.40.0"),
    )


def test_a_request_without_a_node_has_none() -> None:
    assert parse_request(bytes(discovery.DiscoveryRequest(type_url=ROUTE))) == Request(ROUTE)
    assert parse_delta_request(bytes(discovery.DeltaDiscoveryRequest(type_url=ROUTE))) == DeltaRequest(ROUTE)


@_PARSERS
def test_an_error_detail_without_words_is_a_refusal_all_the_same(parse: _Parse) -> None:
    assert parse(bytes(discovery.DiscoveryRequest(type_url=ROUTE))).error is None
    empty = {
        parse_request: bytes(discovery.DiscoveryRequest(type_url=ROUTE, response_nonce="9", error_detail=Status())),
        parse_delta_request: bytes(discovery.DeltaDiscoveryRequest(response_nonce="9", error_detail=Status())),
    }
    assert parse(empty[parse]).error == ""


@_PARSERS
@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0a\xff", b"\x12\x04\x0a\x02\xff\xfe"])
def test_garbage_is_a_typed_error(parse: _Parse, data: bytes) -> None:
    with pytest.raises(StreamError, match=r"a request that is no (Delta)?DiscoveryRequest"):
        parse(data)


@_PARSERS
def test_a_request_over_the_bound_is_not_even_parsed(parse: _Parse) -> None:
    with pytest.raises(StreamError, match="at most"):
        parse(b"\0" * (REQUEST_BYTES_MAX + 1))
