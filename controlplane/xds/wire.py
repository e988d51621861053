"""Discovery messages, bytes <-> values.

A response is built once for all streams and closed with each stream's nonce: protobuf fields concatenate in any
order, so the shared prefix (version, resources, type, identifier) takes only the nonce field behind it. Measured
elsewhere for a 9.5 KB response: 0.46 us against 59 us for encoding it anew.
"""

from google.protobuf.message import DecodeError

from controlplane.snapshot.encoding import length_delimited
from controlplane.snapshot.resource import Resource
from controlplane.xds.errors import StreamError
from controlplane.xds.events import DeltaRequest, DeltaSend, Node, Request, Send
from serinus.envoywire import discovery_pb2

# Field numbers of envoy.service.discovery.v3.DiscoveryResponse, DeltaDiscoveryResponse, Resource, ControlPlane and
# google.protobuf.Any. The nonce has the same number in both responses.
_VERSION_INFO = 1
_RESOURCES = 2
_TYPE_URL = 4
_NONCE = 5
_CONTROL_PLANE = 6
_DELTA_REMOVED = 6
_DELTA_CONTROL_PLANE = 7
_RESOURCE_VERSION = 1
_RESOURCE_BODY = 2
_RESOURCE_NAME = 3
_IDENTIFIER = 1
_ANY_TYPE_URL = 1
_ANY_VALUE = 2

# A fleet's largest request lists its route or cluster names; 4 MiB is gRPC's own default bound.
REQUEST_BYTES_MAX = 4 * 1024 * 1024


def parse_request(data: bytes) -> Request:
    """A DiscoveryRequest. Raises StreamError for one that is too large or is no such message."""
    message = discovery_pb2.DiscoveryRequest()
    _parse(message, data)
    return Request(
        type_url=message.type_url,
        names=tuple(message.resource_names),
        version=message.version_info,
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
        node=_node(message.node) if message.HasField("node") else None,
    )


def parse_delta_request(data: bytes) -> DeltaRequest:
    """A DeltaDiscoveryRequest. Raises StreamError for one that is too large or is no such message."""
    message = discovery_pb2.DeltaDiscoveryRequest()
    _parse(message, data)
    return DeltaRequest(
        type_url=message.type_url,
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        initial=dict(message.initial_resource_versions),
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
        node=_node(message.node) if message.HasField("node") else None,
    )


def _parse(message: discovery_pb2.DiscoveryRequest | discovery_pb2.DeltaDiscoveryRequest, data: bytes) -> None:
    if len(data) > REQUEST_BYTES_MAX:
        raise StreamError(f"a request of {len(data)} bytes, at most {REQUEST_BYTES_MAX} are taken")
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise StreamError(f"a request that is no {message.DESCRIPTOR.name}") from None


def _node(node: discovery_pb2.Node) -> Node:
    number = node.user_agent_build_version.version
    is_told = node.HasField("user_agent_build_version")
    version = f"{number.major_number}.{number.minor_number}.{number.patch}" if is_told else ""
    return Node(node.id, node.cluster, version)


def response_prefix(send: Send, identifier: str) -> bytes:
    """A DiscoveryResponse but for its nonce. `identifier` names this control plane, for people."""
    parts = [
        length_delimited(_VERSION_INFO, send.version.encode()),
        length_delimited(_TYPE_URL, send.type_url.encode()),
        length_delimited(_CONTROL_PLANE, length_delimited(_IDENTIFIER, identifier.encode())),
    ]
    parts += [length_delimited(_RESOURCES, _any(item)) for item in send.resources]
    return b"".join(parts)


def delta_response_prefix(send: DeltaSend, identifier: str) -> bytes:
    """A DeltaDiscoveryResponse but for its nonce."""
    parts = [
        length_delimited(_VERSION_INFO, send.version.encode()),
        length_delimited(_TYPE_URL, send.type_url.encode()),
        length_delimited(_DELTA_CONTROL_PLANE, length_delimited(_IDENTIFIER, identifier.encode())),
    ]
    parts += [length_delimited(_RESOURCES, _resource(item)) for item in send.changed]
    parts += [length_delimited(_DELTA_REMOVED, name.encode()) for name in send.removed]
    return b"".join(parts)


def _resource(item: Resource) -> bytes:
    return b"".join(
        (
            length_delimited(_RESOURCE_VERSION, item.version.encode()),
            length_delimited(_RESOURCE_NAME, item.name.encode()),
            length_delimited(_RESOURCE_BODY, _any(item)),
        )
    )


def _any(item: Resource) -> bytes:
    return length_delimited(_ANY_TYPE_URL, item.type_url.encode()) + length_delimited(_ANY_VALUE, item.body)


def with_nonce(prefix: bytes, nonce: str) -> bytes:
    """The whole response."""
    return prefix + length_delimited(_NONCE, nonce.encode())
