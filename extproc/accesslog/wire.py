"""StreamAccessLogsMessage -> entries, by upb messages of the wire subset (3 us an entry of 530 bytes, measured).

Envoy's entry as the listener is configured: route metadata and response flags come as custom tags, the sidecar's own
tag as dynamic metadata `serinus` (request headers are stripped before the log is written). Envoy writes "-" for a
format string without a value and leaves a metadata tag without a value out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError

from extproc.accesslog.entry import Entry
from extproc.outcome.classify import Ending
from serinus.contract.bucket import BUCKET_COUNT
from serinus.contract.headers import METADATA_NAMESPACE
from serinus.contract.weight import CLASS_EVERYONE, WEIGHT_TOTAL_BP
from serinus.envoywire import accesslog_pb2

# envoy.data.accesslog.v3.AccessLogType: NotSet, DownstreamEnd. Others are about a request that still runs.
_TYPES_OF_END = frozenset({0, 6})
_NO_VALUE = "-"


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that is no outcome: `foreign` no service tag, `partial` not an end, `malformed` tags that lie."""

    why: str


def entries_of(message: bytes) -> Iterator[Entry | Skipped]:
    """All entries of one message, in order. Raises BadLogMessageError when the message cannot be read."""
    try:
        parsed = accesslog_pb2.StreamAccessLogsMessage.FromString(message)
    except DecodeError as error:
        raise BadLogMessageError(str(error)) from error
    for entry in parsed.http_logs.log_entry:
        yield _entry(entry)


class BadLogMessageError(ValueError):
    """Not a StreamAccessLogsMessage: its entries count as not received."""


def _entry(entry: accesslog_pb2.HTTPAccessLogEntry) -> Entry | Skipped:
    common = entry.common_properties
    tags = common.custom_tags
    service = tags.get("service")
    if not service or service == _NO_VALUE:
        return Skipped("foreign")
    if common.access_log_type not in _TYPES_OF_END:
        return Skipped("partial")
    try:
        weight_bp = int(_tag(tags.get("weight_bp")) or 0)
        bucket, cohort, key_hash, pin = _own_tag(common)
    except ValueError:
        return Skipped("malformed")
    if not 0 <= weight_bp <= WEIGHT_TOTAL_BP:
        return Skipped("malformed")
    flags = _tag(tags.get("flags"))
    start = common.start_time
    return Entry(
        service=service,
        rollout=_tag(tags.get("rollout")),
        snapshot=_tag(tags.get("snapshot")),
        weight_bp=weight_bp,
        # A route of an older control plane says no class: it knows only one.
        weight_class=_tag(tags.get("weight_class")) or CLASS_EVERYONE,
        candidate=_tag(tags.get("candidate")),
        baseline=_tag(tags.get("baseline")),
        version=_tag(tags.get("version")),
        start_us=start.seconds * 1_000_000 + start.nanos // 1_000,
        duration_us=_us(common.duration),
        bucket=bucket,
        cohort=cohort,
        key_hash=key_hash,
        pin=pin,
        ending=Ending(
            code=entry.response.response_code.value,
            flags=frozenset(flags.split(",")) if flags else frozenset(),
            # Without an attempt Envoy answered itself (a redirect, say): there is no upstream byte to wait for.
            is_finished=common.HasField("time_to_last_upstream_rx_byte") or not common.upstream_request_attempt_count,
            method=entry.request.request_method,
        ),
        attempts=common.upstream_request_attempt_count,
        request_id=entry.request.request_id or common.stream_id,
        ttfb_us=_us(common.time_to_first_upstream_rx_byte)
        if common.HasField("time_to_first_upstream_rx_byte")
        else None,
    )


def _tag(value: str | None) -> str:
    return "" if value is None or value == _NO_VALUE else value


def _us(duration: Duration) -> int:
    return duration.seconds * 1_000_000 + duration.nanos // 1_000


_OwnTag = tuple[int | None, str | None, int | None, str | None]


def _own_tag(common: accesslog_pb2.AccessLogCommon) -> _OwnTag:
    """Bucket, cohort, key hash and pin. Raises ValueError on values that the sidecar does not write."""
    metadata = common.metadata.filter_metadata
    if METADATA_NAMESPACE not in metadata:
        return None, None, None, None
    fields = metadata[METADATA_NAMESPACE].fields
    bucket = int(fields["bucket"].number_value) if "bucket" in fields else None
    if bucket is not None and not 0 <= bucket < BUCKET_COUNT:
        raise ValueError(bucket)
    key_hash = int(fields["key"].string_value, 16) if "key" in fields else None
    cohort = fields["cohort"].string_value if "cohort" in fields else None
    pin = fields["pin"].string_value if "pin" in fields else None
    return bucket, cohort or None, key_hash, pin or None
