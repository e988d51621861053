"""The route that takes feedback: for whom there is one, and that only the sidecar answers it."""

from controlplane.snapshot.feedback import FEEDBACK_FILTER, feedback_filter, feedback_routes
from controlplane.snapshot.filters import TAG_FILTER
from tests.unit.controlplane.snapshot.factory import decoded_routes, service


def test_only_a_service_with_a_token_file_has_the_route() -> None:
    assert feedback_routes(service()) == ()
    assert feedback_routes(service(feedback=True)) == (), "its feedback comes by the admin API alone"
    (route,) = decoded_routes(feedback_routes(service(feedback={"token_file": "chat.feedback"})))
    assert route.match is not None
    assert (route.match.path, route.direct_response and route.direct_response.status) == ("/serinus/feedback", 503)
    assert set(route.typed_per_filter_config) == {TAG_FILTER, FEEDBACK_FILTER}
    assert route.request_body_buffer_limit == 16_384


def test_the_route_belongs_to_no_service_in_the_log() -> None:
    (route,) = decoded_routes(feedback_routes(service(feedback={"token_file": "chat.feedback"})))
    assert route.metadata is not None
    assert set(route.metadata.filter_metadata["serinus"].fields) == {"feedback"}


def test_the_filter_is_off_elsewhere() -> None:
    assert feedback_filter().disabled
