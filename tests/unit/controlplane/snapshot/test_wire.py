"""Bytes that decide versions are the same in every process."""

from google.protobuf.struct_pb2 import Struct

from controlplane.snapshot.wire import encoded, milliseconds, packed, secret_of


def test_maps_are_encoded_in_the_order_of_their_keys() -> None:
    one, other = Struct(), Struct()
    one.update({"a": "1", "b": "2", "c": "3"})
    other.update({"c": "3", "b": "2", "a": "1"})
    assert encoded(one) == encoded(other)


def test_durations_are_exact() -> None:
    assert (milliseconds(1_500).seconds, milliseconds(1_500).nanos) == (1, 500_000_000)


def test_an_extension_carries_envoys_name_of_its_type() -> None:
    assert packed(Struct(), "envoy.x.v3.Y").type_url == "type.googleapis.com/envoy.x.v3.Y"


def test_a_secret_is_asked_for_on_the_same_stream() -> None:
    secret = secret_of("a")
    assert secret.name == "a"
    assert secret.sds_config.HasField("ads")
