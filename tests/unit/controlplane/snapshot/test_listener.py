"""The listener."""

from datetime import timedelta

from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation import v3 as early_mutation

from controlplane.snapshot.assemble import build
from controlplane.snapshot.model import Gateway, ServiceRoute
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


def test_no_service_and_no_weight_touches_it() -> None:
    """Envoy drains the connections of a changed listener."""
    routes: tuple[list[ServiceRoute], ...] = (
        [],
        [service()],
        [at(service(), 1)],
        [at(service(sticky={"cookie": "session"}), 5_000)],
    )
    assert len({build(services, Gateway()).of_type(LISTENER).version for services in routes}) == 1
