"""The listener."""

from datetime import timedelta

from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation import v3 as early_mutation

from controlplane.snapshot.assemble import build
from controlplane.snapshot.model import Gateway
from controlplane.snapshot.resource import LISTENER
from tests.unit.controlplane.snapshot.factory import at, connection_manager, listener, service


def test_it_listens_where_the_gateway_says() -> None:
    address = listener(build([service()], Gateway(listen_host="127.0.0.9", listen_port=9_000))).address
    assert address is not None
    assert address.socket_address is not None
    assert (address.socket_address.address, address.socket_address.port_value) == ("127.0.0.9", 9_000)


def test_every_owned_header_is_stripped_before_routing() -> None:
    manager = connection_manager(listener(build([service()], Gateway())))
    (extension,) = manager.early_header_mutation_extensions
    assert extension.typed_config is not None
    (mutation,) = early_mutation.HeaderMutation.parse(extension.typed_config.value).mutations
    assert mutation.remove_on_match is not None
    assert mutation.remove_on_match.key_matcher is not None
    assert mutation.remove_on_match.key_matcher.prefix == "x-serinus-"


def test_long_streams_are_bounded_by_idleness_only() -> None:
    manager = connection_manager(listener(build([service()], Gateway(stream_idle_timeout_ms=300_000))))
    assert manager.stream_idle_timeout == timedelta(minutes=5)
    assert manager.request_timeout is None
    assert manager.delayed_close_timeout == timedelta(milliseconds=50)


def test_request_ids_are_ours_and_are_told() -> None:
    manager = connection_manager(listener(build([service()], Gateway())))
    assert manager.use_remote_address is True
    assert manager.generate_request_id is True
    assert manager.preserve_external_request_id is False
    assert manager.always_set_request_id_in_response is True


def test_a_weight_does_not_touch_it() -> None:
    """A changed listener asks kept-alive connections to close."""
    one, other = (build([at(service(), weight)], Gateway()).of_type(LISTENER) for weight in (1, 5_000))
    assert one.version == other.version
