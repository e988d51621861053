"""Small pieces of Envoy messages that clusters, endpoints and secrets share, and how they are encoded.

Encoded with the keys of maps in order: the bytes decide the version of a resource, and must be the same in every
process.
"""

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt32Value

from controlplane.snapshot.resource import TYPE_PREFIX
from serinus.envoywire import core_pb2, tls_pb2


def encoded(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def packed(message: Message, type_name: str) -> Any:
    """An extension's config. `type_name` is Envoy's full name of it, without the prefix."""
    return Any(type_url=TYPE_PREFIX + type_name, value=encoded(message))


def milliseconds(count: int) -> Duration:
    return Duration(seconds=count // 1000, nanos=count % 1000 * 1_000_000)


def number(count: int) -> UInt32Value:
    return UInt32Value(value=count)


def from_ads() -> core_pb2.ConfigSource:
    """Served on the stream that the resource naming it came by."""
    return core_pb2.ConfigSource(ads=core_pb2.AggregatedConfigSource(), resource_api_version=core_pb2.V3)


def secret_of(name: str) -> tls_pb2.SdsSecretConfig:
    return tls_pb2.SdsSecretConfig(name=name, sds_config=from_ads())
