"""Messages as Envoy 1.40 sends them, and the values the tests start from."""

from collections.abc import Mapping

from extproc.accesslog.entry import Entry
from extproc.aggregate.slot import Outcome
from extproc.outcome.classify import METHOD_POST, Ending
from serinus.contract.condition import Op, Source, TextTest
from serinus.contract.headers import ATTRIBUTE_REQUEST_ID, ATTRIBUTE_SERVICE, ATTRIBUTE_SOURCE, REQUEST_ID
from serinus.contract.logline import OWN, SHARED, TAG, line_format
from serinus.contract.outcome import OutcomeClass
from serinus.contract.policy import CohortRule, ServicePolicy
from serinus.contract.request import StickyKind, StickySource
from serinus.envoywire import accesslog_pb2, ext_proc_pb2

NAMESPACE = "envoy.filters.http.ext_proc"
START_US = 1_700_000_000_250_000
SLOT = 1_700_000_000

POLICY = ServicePolicy(
    service="chat",
    salt="r1",
    baseline="v1",
    sticky=(StickySource(StickyKind.HEADER, "x-user-id"),),
    cohorts=(CohortRule("staff", TextTest(Source.HEADER, "x-team", Op.EXACT, ("ml",)), "v2"),),
    observe_body=True,
)


def request_headers(service: str = "chat", *, address: str = "", **headers: str | bytes) -> bytes:
    """A tag message; `x_user_id="u1"` is the header x-user-id. `address`: the attribute of the client's address."""
    message = ext_proc_pb2.ProcessingRequest()
    message.request_headers.SetInParent()
    _fill(message.request_headers.headers, headers)
    if service:
        message.attributes[NAMESPACE].fields[ATTRIBUTE_SERVICE].string_value = service
    if address:
        message.attributes[NAMESPACE].fields[ATTRIBUTE_SOURCE].string_value = address
    return message.SerializeToString()


def request_body(body: bytes) -> bytes:
    message = ext_proc_pb2.ProcessingRequest(observability_mode=True)
    message.request_body.body = body
    return message.SerializeToString()


def response_headers(
    request_id: str = "q1",
    *,
    status: str = "200",
    content_type: str = "text/event-stream",
    encoding: str = "",
    feedback_id: str = "",
    end: bool = False,
) -> bytes:
    message = ext_proc_pb2.ProcessingRequest(observability_mode=True)
    message.response_headers.end_of_stream = end
    headers = {":status": status, "content-type": content_type, "content-encoding": encoding, REQUEST_ID: feedback_id}
    _fill(message.response_headers.headers, {name: value for name, value in headers.items() if value})
    message.attributes[NAMESPACE].fields[ATTRIBUTE_REQUEST_ID].string_value = request_id
    return message.SerializeToString()


def response_body(body: bytes, *, end: bool = False) -> bytes:
    message = ext_proc_pb2.ProcessingRequest(observability_mode=True)
    message.response_body.body = body
    message.response_body.end_of_stream = end
    return message.SerializeToString()


def _fill(headers: ext_proc_pb2.HeaderMap, values: Mapping[str, str | bytes]) -> None:
    for name, value in values.items():
        raw = value if isinstance(value, bytes) else value.encode()
        headers.headers.add(key=name.replace("_", "-"), raw_value=raw)


def log_entry(
    *,
    request_id: str = "q1",
    code: int = 200,
    flags: str = "-",
    version: str = "v1",
    bucket: int | None = 7_000,
    cohort: str = "everyone",
    pin: str = "",
    finished: bool = True,
    start_us: int = START_US,
    duration_us: int = 20_000,
    **tags: str,
) -> accesslog_pb2.HTTPAccessLogEntry:
    """One entry as the listener is configured to write it. A tag given as "" is left out, as Envoy does."""
    entry = accesslog_pb2.HTTPAccessLogEntry()
    common = entry.common_properties
    base = {
        "service": "chat",
        "rollout": "chat-v2",
        "snapshot": "0123456789abcdef",
        "weight_bp": "500",
        "candidate": "v2",
        "baseline": "v1",
        "version": version,
        "flags": flags,
    }
    for name, value in {**base, **tags}.items():
        if value:
            common.custom_tags[name] = value
    common.start_time.FromMicroseconds(start_us)
    common.duration.FromMicroseconds(duration_us)
    common.time_to_first_upstream_rx_byte.FromMicroseconds(5_000)
    if finished:
        common.time_to_last_upstream_rx_byte.FromMicroseconds(duration_us)
    common.upstream_request_attempt_count = 1
    common.access_log_type = 6
    common.stream_id = request_id
    if cohort:
        fields = common.metadata.filter_metadata["serinus"].fields
        fields["cohort"].string_value = cohort
        if bucket is not None:
            fields["bucket"].number_value = bucket
            fields["key"].string_value = f"{0xAB00 + bucket:016x}"
        if pin:
            fields["pin"].string_value = pin
    entry.request.request_method = METHOD_POST
    entry.request.request_id = request_id
    entry.response.response_code.value = code
    return entry


def lined(entry: accesslog_pb2.HTTPAccessLogEntry) -> accesslog_pb2.HTTPAccessLogEntry:
    """The same entry as Envoy writes it now: one line instead of a custom tag for each value."""
    common, tags = entry.common_properties, entry.common_properties.custom_tags
    own = common.metadata.filter_metadata["serinus"].fields if "serinus" in common.metadata.filter_metadata else {}
    started, heads = common.start_time.ToMicroseconds(), common.time_to_first_upstream_rx_byte
    ends = common.time_to_last_upstream_rx_byte
    values = {name: tags.get(name, "") for name in SHARED}
    values |= {name: own[name].string_value for name in ("cohort", "pin", "key") if name in own}
    values |= {
        "code": str(entry.response.response_code.value),
        "method": "POST" if entry.request.request_method == METHOD_POST else "GET",
        "attempts": str(common.upstream_request_attempt_count),
        "type": "DownstreamEnd" if common.access_log_type == 6 else "DownstreamPeriodic",
        "bucket": str(int(own["bucket"].number_value)) if "bucket" in own else "",
        "start_us": str(started),
        "sent_us": str(common.duration.ToMicroseconds()),
        "headers_us": str(heads.ToMicroseconds()) if common.HasField("time_to_first_upstream_rx_byte") else "",
        "body_us": tags.get("us_rx_body_beg", ""),
        "finished_us": str(ends.ToMicroseconds()) if common.HasField("time_to_last_upstream_rx_byte") else "",
        "ran_ms": str(common.duration.ToMilliseconds()),
        "request_id": entry.request.request_id,
    }
    fresh = accesslog_pb2.HTTPAccessLogEntry()
    fresh.CopyFrom(entry)
    fresh.common_properties.custom_tags.clear()
    fresh.common_properties.custom_tags[TAG] = line_format({name: values.get(name, "") for name in (*SHARED, *OWN)})
    return fresh


def log_message(*entries: accesslog_pb2.HTTPAccessLogEntry) -> bytes:
    message = accesslog_pb2.StreamAccessLogsMessage()
    message.http_logs.log_entry.extend(entries)
    return message.SerializeToString()


def ending(
    code: int = 200, flags: str = "", *, finished: bool = True, method: int = METHOD_POST, grpc_status: int = 0
) -> Ending:
    return Ending(code, frozenset(flags.split(",")) if flags else frozenset(), finished, method, grpc_status)


def entry(request_id: str = "q1", *, version: str = "v1", end: Ending | None = None, service: str = "chat") -> Entry:
    return Entry(
        service=service,
        rollout="chat-v2",
        snapshot="0123456789abcdef",
        weight_bp=500,
        weight_class="1",
        candidate="v2",
        baseline="v1",
        version=version,
        start_us=START_US,
        duration_us=20_000,
        bucket=7_000,
        cohort="everyone",
        key_hash=7,
        pin=None,
        ending=end or ending(),
        attempts=1,
        request_id=request_id,
        ttfb_us=5_000,
    )


def outcome(
    *,
    start_us: int = START_US,
    duration_us: int = 20_000,
    key_hash: int | None = 7,
    version: str = "v1",
    weight_class: str = "1",
    kind: OutcomeClass = OutcomeClass.OK,
    finish_reason: str | None = None,
    mismatch: bool = False,
    cohort: str = "everyone",
    ttft_us: int | None = None,
    measures: tuple[tuple[str, int], ...] = (),
    form: str = "",
) -> Outcome:
    return Outcome(
        service="chat",
        rollout="chat-v2",
        snapshot="0123456789abcdef",
        weight_bp=500,
        weight_class=weight_class,
        cohort=cohort,
        version=version,
        start_us=start_us,
        duration_us=duration_us,
        key_hash=key_hash,
        is_routing_mismatch=mismatch,
        outcome_class=kind,
        finish_reason=finish_reason,
        ttft_us=ttft_us,
        measures=measures,
        form=form,
    )
