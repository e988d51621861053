"""The HTTP filters and the access log of the listener: tag, note, limit, observe, router, outcomes.

Only the headers that some service's policy needs are forwarded to the sidecar: no prompt, no Authorization. That
set changes with the services, so the tag filter's config is a resource of its own (ECDS): it takes effect at a
connection's next request. Inside the listener it would reach new connections only, and old ones only after a drain.
The same for the limits (`limits.py`), whose filter stands behind the tags because a cohort is one.
"""

from collections.abc import Sequence
from functools import lru_cache

from envoy_data_plane.envoy.config.accesslog import v3 as accesslog_v3
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.access_loggers.grpc import v3 as grpc_log
from envoy_data_plane.envoy.extensions.common.matching import v3 as matching
from envoy_data_plane.envoy.extensions.filters.common.matcher.action import v3 as action
from envoy_data_plane.envoy.extensions.filters.http.composite import v3 as composite
from envoy_data_plane.envoy.extensions.filters.http.ext_proc import v3 as ext_proc
from envoy_data_plane.envoy.extensions.filters.http.header_to_metadata import v3 as header_to_metadata
from envoy_data_plane.envoy.extensions.filters.http.router import v3 as router
from envoy_data_plane.envoy.extensions.filters.http.set_filter_state import v3 as set_filter_state
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.type import v3 as type_v3
from envoy_data_plane.envoy.type.matcher import v3 as matcher_v3
from envoy_data_plane.envoy.type.tracing import v3 as tracing
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.core import v3 as core_xds
from envoy_data_plane.xds.type.matcher import v3 as matcher_xds

from controlplane.manifest.schema import ServiceSpec
from controlplane.snapshot.encoding import from_ads, milliseconds, packed
from controlplane.snapshot.limits import LIMIT_FILTER, LIMIT_TYPE
from controlplane.snapshot.model import Gateway
from controlplane.snapshot.resource import EXTENSION, TYPE_PREFIX, Resource, resource
from serinus.contract import headers
from serinus.contract.condition import headers_read
from serinus.contract.logline import TAG, line_format
from serinus.contract.request import SOURCE, StickyKind

TAG_FILTER = "serinus.tag"
OBSERVE_FILTER = "serinus.observe"
# The same for services of which only a sample is looked at. What it does not pick has no filter at all, and costs
# nothing but the draw.
SAMPLE_FILTER = "serinus.observe-sample"
# Of a native route: a key that is a header's whole value, and one that is a part of it. Written down as metadata a key
# costs 4-5 us of Envoy's CPU a request, as filter state next to nothing.
NATIVE_FILTER = "serinus.native"
NATIVE_PART_FILTER = "serinus.native-part"
NATIVE_KEY = "serinus.key"
# Static clusters of the bootstrap. Two on one socket: streams of observation linger, and with a shared circuit
# breaker 311 of 2080 requests went untagged.
SIDECAR_CLUSTER = "sidecar"
OBSERVE_CLUSTER = "sidecar-observe"

ROUTE_TAGS = ("service", "rollout", "snapshot", "weight_bp", "weight_class", "candidate", "baseline")
_OWN_TAGS = ("cohort", "pin", "bucket", "key", "slices")
# What the sidecar's answer does not say a native route does; never both.
_NATIVE_TAGS = {
    **{name: f"%METADATA(ROUTE:{headers.METADATA_NAMESPACE}:{name})%" for name in ("cohort", "pin")},
    "key": f"%FILTER_STATE({NATIVE_KEY}:PLAIN)%",
}
# Envoy's command for each value of the line.
_LINE = {
    **{name: f"%METADATA(ROUTE:{headers.METADATA_NAMESPACE}:{name})%" for name in ROUTE_TAGS},
    **{
        name: f"%DYNAMIC_METADATA({headers.METADATA_NAMESPACE}:{name})%{_NATIVE_TAGS.get(name, '')}"
        for name in _OWN_TAGS
    },
    "version": f"%CLUSTER_METADATA({headers.METADATA_NAMESPACE}:version)%",
    "flags": "%RESPONSE_FLAGS%",
    "code": "%RESPONSE_CODE%",
    "method": "%REQ(:METHOD)%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "type": "%ACCESS_LOG_TYPE%",
    "grpc": "%GRPC_STATUS_NUMBER%",
    # Which delegating filters have picked the request: there is only one.
    "sampled": "%FILTER_STATE(envoy.extensions.filters.http.composite.matched_actions:PLAIN)%",
    "start_us": "%START_TIME(%s%6f)%",
    "sent_us": "%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%",
    "headers_us": "%COMMON_DURATION(DS_RX_BEG:US_RX_BEG:us)%",
    "body_us": "%COMMON_DURATION(DS_RX_BEG:US_RX_BODY_BEG:us)%",
    "finished_us": "%COMMON_DURATION(DS_RX_BEG:US_RX_END:us)%",
    "ran_ms": "%DURATION%",
    "request_id": "%STREAM_ID%",
}

# Outcomes reach the sidecar within a tenth of a second; with the default of 1 s a one-second slot closes a second late.
LOG_FLUSH_INTERVAL_MS = 100
LOG_BUFFER_BYTES = 16_384
# How long Envoy keeps an observing stream open after the response has ended, before it resets what was not read:
# at 50 ms 89 and 513 of 5,160 observations were lost on a busy machine, at 500 ms none. The sidecar ends the stream at
# the end of the body, so nothing lingers that long (with the default of 5 s and a silent server 1,300 did).
OBSERVE_CLOSE_TIMEOUT_MS = 500

_EXT_PROC = "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor"
EXT_PROC_ROUTE = "envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute"
TO_STATE = "envoy.extensions.filters.http.set_filter_state.v3.Config"
TO_METADATA = "envoy.extensions.filters.http.header_to_metadata.v3.Config"
SAMPLE_ROUTE = "envoy.extensions.common.matching.v3.ExtensionWithMatcherPerRoute"
_WITH_MATCHER = "envoy.extensions.common.matching.v3.ExtensionWithMatcher"
_COMPOSITE = "envoy.extensions.filters.http.composite.v3.Composite"
_PICK = "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction"
_SKIP = "envoy.extensions.filters.common.matcher.action.v3.SkipFilter"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_HTTP_GRPC_LOG = "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig"

_Send = ext_proc.ProcessingModeHeaderSendMode
_Body = ext_proc.ProcessingModeBodySendMode


def policy_headers(spec: ServiceSpec) -> frozenset[str]:
    """What the service's cohort policy reads of a request: names of headers, and `:source` for the client's address."""
    names = set().union(*map(headers_read, spec.conditions))
    if spec.tokens is not None:
        names.add(headers.TOKEN)
    for source in spec.sticky:
        match source.kind:
            case StickyKind.HEADER:
                names.add(source.name)
            case StickyKind.COOKIE:
                names.add("cookie")
            case StickyKind.QUERY:
                names.add(":path")
            case StickyKind.REQUEST:
                names.add("x-request-id")
    return frozenset(names)


def build_tag_filter(gateway: Gateway, forwarded: Sequence[str]) -> Resource:
    """The config of the tag filter, encoded. `forwarded`: of every service what `policy_headers` says."""
    message = core.TypedExtensionConfig(name=TAG_FILTER, typed_config=packed(_tag(gateway, forwarded), _EXT_PROC))
    return resource(TAG_FILTER, EXTENSION, bytes(message))


def http_filters() -> list[hcm.HttpFilter]:
    """Tag, note, limit, observe (all, or a sample), router. A native route turns tagging off and noting on; others may
    observe."""
    noting, finding = packed(set_filter_state.Config(), TO_STATE), packed(header_to_metadata.Config(), TO_METADATA)
    return [
        hcm.HttpFilter(name=TAG_FILTER, config_discovery=_over_ads(_EXT_PROC)),
        hcm.HttpFilter(name=NATIVE_FILTER, disabled=True, typed_config=noting),
        hcm.HttpFilter(name=NATIVE_PART_FILTER, disabled=True, typed_config=finding),
        hcm.HttpFilter(name=LIMIT_FILTER, config_discovery=_over_ads(LIMIT_TYPE)),
        hcm.HttpFilter(name=OBSERVE_FILTER, disabled=True, typed_config=packed(_observe(), _EXT_PROC)),
        hcm.HttpFilter(name=SAMPLE_FILTER, disabled=True, typed_config=packed(_picking_nothing(), _WITH_MATCHER)),
        hcm.HttpFilter(name="envoy.filters.http.router", typed_config=packed(router.Router(), _ROUTER)),
    ]


def _over_ads(type_name: str) -> core.ExtensionConfigSource:
    """The config is a resource under the filter's name."""
    return core.ExtensionConfigSource(config_source=from_ads(), type_urls=[TYPE_PREFIX + type_name])


def _tag(gateway: Gateway, forwarded: Sequence[str]) -> ext_proc.ExternalProcessor:
    """One message in, one out, before routing is final. Away or slow: the request goes on untagged."""
    # Envoy wants at least one pattern. A header that was just stripped is never there: nothing is forwarded then.
    names = [name for name in forwarded if name != SOURCE] or [headers.KEY]
    attributes = [headers.ATTRIBUTE_SERVICE, *([headers.ATTRIBUTE_SOURCE] if SOURCE in forwarded else [])]
    patterns = [matcher_v3.StringMatcher(exact=name) for name in names]
    return ext_proc.ExternalProcessor(
        grpc_service=_grpc(SIDECAR_CLUSTER),
        failure_mode_allow=True,
        message_timeout=milliseconds(gateway.ext_proc_message_timeout_ms),
        stat_prefix="tag",
        request_attributes=attributes,
        metadata_options=ext_proc.MetadataOptions(
            receiving_namespaces=ext_proc.MetadataOptionsMetadataNamespaces(untyped=[headers.METADATA_NAMESPACE])
        ),
        processing_mode=ext_proc.ProcessingMode(
            request_header_mode=_Send.SEND,
            response_header_mode=_Send.SKIP,
            request_trailer_mode=_Send.SKIP,
            response_trailer_mode=_Send.SKIP,
        ),
        forward_rules=ext_proc.HeaderForwardingRules(allowed_headers=matcher_v3.ListStringMatcher(patterns=patterns)),
    )


def _observe(*, request_body_mode: _Body = _Body.NONE) -> ext_proc.ExternalProcessor:
    """A copy of the response's headers and body, never waited for."""
    return ext_proc.ExternalProcessor(
        grpc_service=_grpc(OBSERVE_CLUSTER),
        failure_mode_allow=True,
        observability_mode=True,
        deferred_close_timeout=milliseconds(OBSERVE_CLOSE_TIMEOUT_MS),
        stat_prefix="observe",
        response_attributes=[headers.ATTRIBUTE_REQUEST_ID],
        processing_mode=_observing(request_body_mode=request_body_mode),
    )


def observe_requests() -> bytes:
    """An `ExtProcPerRoute`, encoded: the observing filter copies the bodies of requests too."""
    overrides = ext_proc.ExtProcOverrides(processing_mode=_observing(request_body_mode=_Body.STREAMED))
    return bytes(ext_proc.ExtProcPerRoute(overrides=overrides))


def _picking_nothing() -> matching.ExtensionWithMatcher:
    """A route says what is picked."""
    return matching.ExtensionWithMatcher(
        xds_matcher=_always("nothing", packed(action.SkipFilter(), _SKIP)),
        extension_config=core.TypedExtensionConfig(
            name="envoy.filters.http.composite", typed_config=packed(composite.Composite(), _COMPOSITE)
        ),
    )


@lru_cache(1_024)
def observe_sample(sample_bp: int, *, requests: bool) -> bytes:
    """An `ExtensionWithMatcherPerRoute`, encoded: each request is observed with that probability."""
    body_mode = _Body.STREAMED if requests else _Body.NONE
    picked = composite.ExecuteFilterAction(
        typed_config=core.TypedExtensionConfig(
            name=OBSERVE_FILTER, typed_config=packed(_observe(request_body_mode=body_mode), _EXT_PROC)
        ),
        sample_percent=core.RuntimeFractionalPercent(
            default_value=type_v3.FractionalPercent(
                numerator=sample_bp, denominator=type_v3.FractionalPercentDenominatorType.TEN_THOUSAND
            )
        ),
    )
    return bytes(matching.ExtensionWithMatcherPerRoute(xds_matcher=_always("sample", packed(picked, _PICK))))


def _always(name: str, what: Any) -> matcher_xds.Matcher:
    """One action for whatever comes."""
    return matcher_xds.Matcher(
        on_no_match=matcher_xds.MatcherOnMatch(action=core_xds.TypedExtensionConfig(name=name, typed_config=what))
    )


def _observing(*, request_body_mode: _Body) -> ext_proc.ProcessingMode:
    return ext_proc.ProcessingMode(
        request_header_mode=_Send.SKIP,
        response_header_mode=_Send.SEND,
        request_body_mode=request_body_mode,
        response_body_mode=_Body.STREAMED,
        request_trailer_mode=_Send.SKIP,
        response_trailer_mode=_Send.SKIP,
    )


def access_log() -> accesslog_v3.AccessLog:
    """What really happened to every request, in batches, to the worker of the sidecar that also observes."""
    config = grpc_log.HttpGrpcAccessLogConfig(
        common_config=grpc_log.CommonGrpcAccessLogConfig(
            log_name="outcomes",
            grpc_service=_grpc(OBSERVE_CLUSTER),
            transport_api_version=core.ApiVersion.V3,
            buffer_flush_interval=milliseconds(LOG_FLUSH_INTERVAL_MS),
            buffer_size_bytes=LOG_BUFFER_BYTES,
            custom_tags=[tracing.CustomTag(tag=TAG, value=line_format(_LINE))],
        )
    )
    return accesslog_v3.AccessLog(name="envoy.access_loggers.http_grpc", typed_config=packed(config, _HTTP_GRPC_LOG))


def _grpc(cluster: str) -> core.GrpcService:
    # No timeout here: it would bound the whole stream, and with it a long generation.
    return core.GrpcService(envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name=cluster))
