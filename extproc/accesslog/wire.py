"""StreamAccessLogsMessage -> lines, or whole entries, by upb messages of two wire subsets.

Envoy's entry as the listener is configured: one custom tag holds a line of everything that is wanted
(`serinus.contract.logline`); the sidecar's own tag stands in it, since request headers are stripped before the log is
written. `lines_of` takes nothing but the line (0.5 us an entry). `entries_of` reads the whole entry (20 us): it is what
an entry means, the oracle of the tests, and the way for entries whose line cannot be read alone. It also takes an entry
with a custom tag for each value and the sidecar's tag as dynamic metadata `serinus`. Envoy writes "-" for some format
strings without a value and leaves a metadata tag without a value out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from extproc.accesslog.entry import Entry
from extproc.accesslog.native import placed
from extproc.outcome.classify import Ending
from serinus.contract.bucket import BUCKET_COUNT
from serinus.contract.headers import METADATA_NAMESPACE
from serinus.contract.logline import SHARED_BEFORE, TAG, TAG_BEFORE, values_of
from serinus.contract.weight import CLASS_EVERYONE, WEIGHT_TOTAL_BP
from serinus.envoywire import accesslog_line_pb2, accesslog_pb2

# envoy.data.accesslog.v3.AccessLogType: NotSet, DownstreamEnd; DownstreamPeriodic of a request that still runs.
_TYPES_OF_END = frozenset({0, 6})
_TYPE_OF_RUNNING = 5
_NO_VALUE = "-"


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that is no outcome: `foreign` no service tag, `partial` not an end, `malformed` tags that lie; `running`
    such tags of a request that still runs, of which most entries are not looked at."""

    why: str


def entries_of(message: bytes) -> Iterator[Entry | Skipped]:
    """All entries of one message, in order. Raises BadLogMessageError when the message cannot be read."""
    try:
        parsed = accesslog_pb2.StreamAccessLogsMessage.FromString(message)
    except DecodeError as error:
        raise BadLogMessageError(str(error)) from error
    for entry in parsed.http_logs.log_entry:
        yield _entry(entry)


def lines_of(message: bytes) -> list[bytes]:
    """Of each entry, in order, its last custom tag as it stands on the wire. Raises BadLogMessageError.

    Where each has one, which is what Envoy is told to write, the whole message is read in two calls.
    """
    try:
        merged = accesslog_line_pb2.MergedMessage.FromString(message).http_logs.log_entry.common_properties
        lines = list(merged.custom_tags)
        if len(lines) == len(accesslog_line_pb2.CountedMessage.FromString(message).http_logs.log_entry):
            return lines
        parsed = accesslog_line_pb2.LineMessage.FromString(message)
    except DecodeError as error:
        raise BadLogMessageError(str(error)) from error
    return [entry.common_properties.custom_tags for entry in parsed.http_logs.log_entry]


def line_head(line_bytes: int) -> bytes:
    """What stands before a line of this length in the custom tag: the tag's name, and the length."""
    name = TAG.encode()
    return b"\x0a%c%b\x12%b" % (len(name), name, _varint(line_bytes))


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)


class BadLogMessageError(ValueError):
    """Not a StreamAccessLogsMessage: its entries count as not received."""


def _entry(entry: accesslog_pb2.HTTPAccessLogEntry) -> Entry | Skipped:
    common = entry.common_properties
    try:
        tags = _tags(common)
    except ValueError:
        return Skipped("malformed")
    service = tags.get("service")
    if not service or service == _NO_VALUE:
        return Skipped("foreign")
    is_running = common.access_log_type == _TYPE_OF_RUNNING
    if not is_running and common.access_log_type not in _TYPES_OF_END:
        return Skipped("partial")
    try:
        weight_bp = _weight_bp(tags)
        body_us = _number(tags.get("body_us") or tags.get("us_rx_body_beg"))
        duration_us = _duration_us(common, tags, is_running=is_running)
        ending = _ending(entry, _tag(tags.get("flags")), int(_tag(tags.get("grpc")) or 0))
        bucket, cohort, key_hash, pin, slices = _own_tag(common)
        if cohort is None and _tag(tags.get("cohort")):  # a native route says it
            cohort, pin = tags["cohort"], _tag(tags.get("pin")) or None
            if bucket is None and (key := _tag(tags.get("key"))):
                key_hash, bucket = placed(key.encode())
    except ValueError:
        return Skipped("running" if is_running else "malformed")
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
        start_us=_us(common.start_time),
        duration_us=duration_us,
        bucket=bucket,
        cohort=cohort,
        key_hash=key_hash,
        pin=pin,
        ending=ending,
        attempts=common.upstream_request_attempt_count,
        request_id=entry.request.request_id or common.stream_id,
        ttfb_us=_ttfb_us(common),
        body_us=body_us,
        finished_us=_us(common.time_to_last_upstream_rx_byte) if _is_finished(common) else None,
        is_running=is_running,
        is_sampled=bool(_tag(tags.get("sampled"))),
        slices=slices or _tag(tags.get("slices")),
    )


def _ending(entry: accesslog_pb2.HTTPAccessLogEntry, flags: str, grpc_status: int) -> Ending:
    common = entry.common_properties
    return Ending(
        code=entry.response.response_code.value,
        flags=frozenset(flags.split(",")) if flags else frozenset(),
        # Without an attempt Envoy answered itself (a redirect, say): there is no upstream byte to wait for.
        is_finished=_is_finished(common) or not common.upstream_request_attempt_count,
        method=entry.request.request_method,
        grpc_status=grpc_status,
    )


def _tags(common: accesslog_pb2.AccessLogCommon) -> Mapping[str, str]:
    """The line's values, or the custom tags themselves. Raises ValueError for a line of another form."""
    tags: Mapping[str, str] = common.custom_tags
    if TAG in tags:
        return values_of(tags[TAG])
    return values_of(tags[TAG_BEFORE], SHARED_BEFORE) if TAG_BEFORE in tags else tags


def _tag(value: str | None) -> str:
    return "" if value is None or value == _NO_VALUE else value


def _number(value: str | None) -> int | None:
    """Raises ValueError for what is none."""
    digits = _tag(value)
    return int(digits) if digits else None


def _weight_bp(tags: Mapping[str, str]) -> int:
    """Raises ValueError for what is no weight."""
    weight_bp = int(_tag(tags.get("weight_bp")) or 0)
    if not 0 <= weight_bp <= WEIGHT_TOTAL_BP:
        raise ValueError(weight_bp)
    return weight_bp


def _duration_us(common: accesslog_pb2.AccessLogCommon, tags: Mapping[str, str], *, is_running: bool) -> int:
    """Envoy gives an entry its duration when the request has ended; until then the line says it. Raises ValueError."""
    ran_ms = _tag(tags.get("ran_ms")) if is_running else ""
    return int(ran_ms) * 1_000 if ran_ms else _us(common.duration)


def _ttfb_us(common: accesslog_pb2.AccessLogCommon) -> int | None:
    has_it = common.HasField("time_to_first_upstream_rx_byte")
    return _us(common.time_to_first_upstream_rx_byte) if has_it else None


def _is_finished(common: accesslog_pb2.AccessLogCommon) -> bool:
    return common.HasField("time_to_last_upstream_rx_byte")


def _us(time: Duration | Timestamp) -> int:
    return time.seconds * 1_000_000 + time.nanos // 1_000


_OwnTag = tuple[int | None, str | None, int | None, str | None, str]


def _own_tag(common: accesslog_pb2.AccessLogCommon) -> _OwnTag:
    """Bucket, cohort, key hash, pin and slices. Raises ValueError on values that the sidecar does not write."""
    metadata = common.metadata.filter_metadata
    if METADATA_NAMESPACE not in metadata:
        return None, None, None, None, ""
    fields = metadata[METADATA_NAMESPACE].fields
    number = fields["bucket"].number_value if "bucket" in fields else None
    if number is not None and not 0 <= number < BUCKET_COUNT:  # infinity has no int, and NaN is nowhere
        raise ValueError(number)
    bucket = int(number) if number is not None else None
    key = fields["key"].string_value if "key" in fields else ""
    key_hash: int | None
    if bucket is None and key:
        key_hash, bucket = placed(key.encode())
    else:
        key_hash = int(key, 16) if key else None
    if key_hash is not None and not 0 <= key_hash < 1 << 64:
        raise ValueError(key_hash)
    cohort = fields["cohort"].string_value if "cohort" in fields else None
    pin = fields["pin"].string_value if "pin" in fields else None
    slices = fields["slices"].string_value if "slices" in fields else ""
    return bucket, cohort or None, key_hash, pin or None, slices
