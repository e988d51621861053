"""Discovery messages, bytes <-> values.

A response is built once for all streams and closed with each stream's nonce: protobuf fields concatenate in any
order, so the shared prefix (version, resources, type, identifier) takes only the nonce field behind it. Measured
elsewhere for a 9.5 KB response: 0.46 us against 59 us for encoding it anew.
"""

from google.protobuf.message import DecodeError

from controlplane.snapshot.encoding import length_delimited
from controlplane.snapshot.resource import ResourceSet
from controlplane.xds.errors import StreamError
from controlplane.xds.stream import Node, Request
from serinus.envoywire import discovery_pb2

# Field numbers of envoy.service.discovery.v3.DiscoveryResponse, ControlPlane and google.protobuf.Any.
_VERSION_INFO = 1
_RESOURCES = 2
_TYPE_URL = 4
_NONCE = 5
_CONTROL_PLANE = 6
_IDENTIFIER = 1
_ANY_TYPE_URL = 1
_ANY_VALUE = 2

# A fleet's largest request lists its route or cluster names; 4 MiB is gRPC's own default bound.
REQUEST_BYTES_MAX = 4 * 1024 * 1024


def parse_request(data: bytes) -> Request:
    """A DiscoveryRequest. Raises StreamError for one that is too large or is no such message."""
    if len(data) > REQUEST_BYTES_MAX:
        raise StreamError(f"a request of {len(data)} bytes, at most {REQUEST_BYTES_MAX} are taken")
    try:
        message = discovery_pb2.DiscoveryRequest.FromString(data)
    except DecodeError:
        raise StreamError("a request that is no DiscoveryRequest") from None
    return Request(
        type_url=message.type_url,
        names=tuple(message.resource_names),
        version=message.version_info,
        nonce=message.response_nonce,
        error=message.error_detail.message if message.HasField("error_detail") else None,
        node=Node(message.node.id, message.node.cluster) if message.HasField("node") else None,
    )


def response_prefix(type_url: str, resources: ResourceSet, identifier: str) -> bytes:
    """A DiscoveryResponse but for its nonce. `identifier` names this control plane, for people."""
    url = type_url.encode()
    parts = [
        length_delimited(_VERSION_INFO, resources.version.encode()),
        length_delimited(_TYPE_URL, url),
        length_delimited(_CONTROL_PLANE, length_delimited(_IDENTIFIER, identifier.encode())),
    ]
    any_url = length_delimited(_ANY_TYPE_URL, url)
    parts += [length_delimited(_RESOURCES, any_url + length_delimited(_ANY_VALUE, item.body)) for item in resources]
    return b"".join(parts)


def with_nonce(prefix: bytes, nonce: str) -> bytes:
    """The whole DiscoveryResponse."""
    return prefix + length_delimited(_NONCE, nonce.encode())
