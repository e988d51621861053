"""`POST /serinus/feedback` on the hosts of a service that takes feedback: a route of its own, answered by the sidecar.

Envoy hands headers and body to the sidecar by ext_proc and gives its answer to the client; no server sees the request,
and no port is opened for it. Without a sidecar the route answers 503. Of the request the sidecar gets its method, its
Authorization and its body, at most as much as the contract says (Envoy answers 413 to more).
"""

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.ext_proc import v3 as ext_proc
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.type.matcher import v3 as matcher_v3
from google.protobuf.any_pb2 import Any
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.wrappers_pb2 import UInt64Value

from controlplane.snapshot import encoding
from controlplane.snapshot.filters import OBSERVE_CLUSTER, TAG_FILTER
from controlplane.snapshot.model import ServiceRoute
from controlplane.snapshot.wire import encoded, packed
from serinus.contract import headers
from serinus.contract.feedback import BODY_BYTES_MAX, PATH
from serinus.envoywire.core_pb2 import Metadata
from serinus.envoywire.route_pb2 import DirectResponseAction, FilterConfig, Route, RouteMatch

FEEDBACK_FILTER = "serinus.feedback"
# An answer takes the sidecar some 50 us; nobody's page waits for it.
ANSWER_TIMEOUT_MS = 1_000
_NO_SIDECAR = 503
_READ = (":method", "authorization")
_EXT_PROC = "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor"
_FILTER_CONFIG = "envoy.config.route.v3.FilterConfig"
_Send = ext_proc.ProcessingModeHeaderSendMode


def feedback_filter() -> hcm.HttpFilter:
    """Off but on the route that takes feedback. It stands first: what it answers meets no other filter."""
    # The worker that also has the log entries: one limit of how fast, and one queue.
    envoy_grpc = core.GrpcServiceEnvoyGrpc(cluster_name=OBSERVE_CLUSTER)
    patterns = [matcher_v3.StringMatcher(exact=name) for name in _READ]
    config = ext_proc.ExternalProcessor(
        grpc_service=core.GrpcService(envoy_grpc=envoy_grpc),
        failure_mode_allow=True,
        message_timeout=encoding.milliseconds(ANSWER_TIMEOUT_MS),
        stat_prefix="feedback",
        request_attributes=[headers.ATTRIBUTE_FEEDBACK],
        processing_mode=ext_proc.ProcessingMode(
            request_header_mode=_Send.SEND,
            request_body_mode=ext_proc.ProcessingModeBodySendMode.BUFFERED,
            response_header_mode=_Send.SKIP,
            request_trailer_mode=_Send.SKIP,
            response_trailer_mode=_Send.SKIP,
        ),
        forward_rules=ext_proc.HeaderForwardingRules(allowed_headers=matcher_v3.ListStringMatcher(patterns=patterns)),
    )
    return hcm.HttpFilter(name=FEEDBACK_FILTER, disabled=True, typed_config=encoding.packed(config, _EXT_PROC))


def feedback_routes(service: ServiceRoute) -> tuple[bytes, ...]:
    """Encoded; before all others of the service. Two services of one host have the same, and the first is taken."""
    feedback = service.spec.feedback
    if feedback is None or feedback.token_file is None:
        return ()
    said = Struct(fields={headers.METADATA_FEEDBACK: Value(string_value="1")})
    route = Route(
        name=f"{service.name}/feedback",
        match=RouteMatch(path=PATH),
        direct_response=DirectResponseAction(status=_NO_SIDECAR),
        metadata=Metadata(filter_metadata={headers.METADATA_NAMESPACE: said}),
        typed_per_filter_config={
            TAG_FILTER: packed(FilterConfig(disabled=True), _FILTER_CONFIG),
            FEEDBACK_FILTER: packed(FilterConfig(config=Any()), _FILTER_CONFIG),
        },
        request_body_buffer_limit=UInt64Value(value=BODY_BYTES_MAX),
    )
    return (encoded(route),)
