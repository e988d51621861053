"""Messages of access-log streams, through the codec, the join with observations, the slots and the report.

Must hold: no exception; every entry is an `Entry` within the ranges that the judge relies on, or `Skipped` with a
reason; each is counted once; what was counted comes out of the window, or is counted as late or overflow; the report
of it can be encoded and read back; tables stay within their bounds.

The first byte: 7 one message as it is; else it is made of the input's decisions; 6 bodies are observed, 5 it
comes twice.
"""

from collections.abc import MutableMapping
from functools import partial

from google.protobuf.struct_pb2 import Value

from extproc.accesslog.entry import Entry, outcome_of
from extproc.accesslog.ingest import Ingest
from extproc.accesslog.lane import LANES_MAX
from extproc.accesslog.wire import BadLogMessageError, Skipped, entries_of
from extproc.aggregate.window import SlotWindow
from extproc.outcome.observation import UNOBSERVABLE, Observation
from extproc.telemetry.catalogue import Catalogue
from extproc.telemetry.tables import LABEL_SETS_MAX
from extproc.uplink import wire
from serinus.contract.bucket import BUCKET_COUNT
from serinus.contract.logline import OWN, SHARED, TAG, line_format
from serinus.contract.outcome import UNFINISHED, OutcomeClass
from serinus.contract.weight import WEIGHT_TOTAL_BP
from serinus.envoywire import accesslog_pb2
from serinus.v1 import outcomes_pb2
from tests.fuzz import policies
from tests.fuzz.bites import Bites
from tests.fuzz.target import Target

_POLICIES = policies.holder()
# One for the whole run: its tables have bounds of their own, which a run of millions would pass if they did not hold.
_CATALOGUE = Catalogue()
_WHY = frozenset({"foreign", "running", "partial", "malformed"})
_UNFINISHED = {each.value for each in UNFINISHED}
_SERVICES = ("chat", "plain", "-", "")
_TAGS = ("rollout", "snapshot", "candidate", "baseline", "version", "weight_bp", "flags")
_TAG_VALUES = (
    *("r1", "v1", "v2", "-", "", "0", "500", "10000", "10001", "-1", "1e3", "٣", "UC", "DC,UF", "RL", "NC", "UT,,"),
    *(" 7 ", "1_000", "9" * 30),
)
_NUMBERS = (0.0, 1.0, 9_999.0, 10_000.0, -1.0, 0.5, float("nan"), float("inf"), float("-inf"), 1e308, 7.0)
_KEYS = ("0123456789abcdef", "f" * 16, "f" * 17, "-1", "", "0x12", "1_0", "zz", " 1", "٣")
_SECONDS = (0, 1, policies.NOW_S, policies.NOW_S - 59, policies.NOW_S + 10**6, -1, -(2**63), 2**63 - 1)
_NANOS = (0, 1, 999_999_999, -1, 2**31 - 1, -(2**31))
_CODES = (0, 200, 200, 404, 429, 500, 503, 2**32 - 1)
_IDS = ("", "a", "b", "c")
_OBSERVATIONS = (
    UNOBSERVABLE,
    Observation(observable=True, complete=True, finish_reason="stop", has_content=True),
    Observation(observable=True, complete=True, finish_reason="length", has_content=True),
    Observation(True, True, "stop", has_content=True, content_us=1_700_000_000_300_000, tokens_out=9, is_paced=True),
    Observation(observable=True, finish_reason="x", error_frame=True),
)


class _Clock:
    def __init__(self) -> None:
        self.ms = policies.NOW_S * 1_000

    def now_ms(self) -> int:
        return self.ms

    def now_us(self) -> int:
        return self.ms * 1_000

    def epoch_ns(self) -> int:
        return self.ms * 1_000_000


def _own_tag(bites: Bites, fields: MutableMapping[str, Value]) -> None:
    which = bites.number()
    if which & 1:
        fields["bucket"].number_value = bites.of(_NUMBERS)
    if which & 2:
        fields["key"].string_value = bites.of(_KEYS) if which & 16 else bites.text().decode("utf-8", "replace")
    if which & 4:
        fields["cohort"].string_value = bites.of(_TAG_VALUES)
    if which & 8:
        fields["pin"].string_value = bites.of(_TAG_VALUES)
    if which & 32:
        fields["bucket"].string_value = "7"


def _common(bites: Bites, common: accesslog_pb2.AccessLogCommon) -> None:
    what = bites.word()
    tags = common.custom_tags
    tags["service"] = _SERVICES[what & 3] if what & 7 != 7 else bites.text().decode("utf-8", "replace")
    for number, tag in enumerate(_TAGS):
        if what >> 3 & 1 << number:
            tags[tag] = bites.of(_TAG_VALUES)
    if what & 1 << 10:
        _own_tag(bites, common.metadata.filter_metadata["serinus"].fields)
    if what & 1 << 11:
        common.start_time.seconds, common.start_time.nanos = bites.of(_SECONDS), bites.of(_NANOS)
    else:
        common.start_time.seconds = policies.NOW_S - bites.number()
    if what & 1 << 12:
        common.duration.seconds, common.duration.nanos = bites.of(_SECONDS), bites.of(_NANOS)
    if what & 1 << 13:
        common.time_to_last_upstream_rx_byte.seconds = bites.of(_SECONDS)
    if what & 1 << 14:
        common.time_to_first_upstream_rx_byte.seconds = bites.of(_SECONDS)
    if what & 1 << 15:
        common.upstream_request_attempt_count = bites.of((1, 2, 2**32 - 1))
        common.access_log_type = bites.of((0, 6, 5, -1))


# A line that Envoy might write, value by value.
_LINE = {
    **{"service": "chat", "rollout": "r1", "snapshot": "s", "weight_bp": "500", "weight_class": "1", "candidate": "v2"},
    **{"baseline": "v1", "version": "v1", "flags": "-", "code": "200", "method": "POST", "attempts": "1"},
    **{"type": "DownstreamEnd", "cohort": "everyone", "pin": "", "grpc": "-", "sampled": "-", "slices": "-"},
    **{"bucket": "77", "key": "0123456789abcdef"},
    **{
        "start_us": f"{policies.NOW_S}000000",
        "sent_us": "5000",
        "headers_us": "10",
        "body_us": "",
        "finished_us": "40",
        "ran_ms": "61000",
    },
    "request_id": "a",
}
_ODD = (
    *("", "-", "0", "-1", "7", "10000", "99999999999999999999", "-99999999999999999999999", "1_0", "-00000000000000f"),
    *(
        "+0000000000000ff",
        "salt:user 1",
        "b",
        "DC,UT",
        "RL",
        "NC",
        "503",
        "GET",
        "DownstreamPeriodic",
        "region=eu,device=other",
        "\u0663",
        "plain",
    ),
    *("0000000000000000", "99999999", "-5", "0x00000000000000"),
)
_NAMES = (*SHARED, *OWN)
# Entries hardly touch each other: more of them find nothing more, and each costs 50 us.
_ENTRIES_MAX = 3


def _line(bites: Bites) -> str:
    """The line with up to seven of its values changed, and now and then of another form."""
    values = dict(_LINE)
    how = bites.number()
    for _ in range(how & 7):
        which = bites.number()
        values[_NAMES[which % len(_NAMES)]] = bites.of(_ODD) if which < 200 else bites.text().decode("utf-8", "replace")
    if how & 0x40:
        values["request_id"] = _IDS[how >> 4 & 3]
    line = line_format(values)
    return line + bites.text().decode("utf-8", "replace") if how & 0x80 else line


def _made(bites: Bites) -> bytes:
    message = accesslog_pb2.StreamAccessLogsMessage()
    while bites.is_left and len(message.http_logs.log_entry) < _ENTRIES_MAX:
        entry = message.http_logs.log_entry.add()
        if bites.number() & 1:
            entry.common_properties.custom_tags[TAG] = _line(bites)
            continue
        _common(bites, entry.common_properties)
        entry.response.response_code.value = bites.of(_CODES)
        how = bites.number()
        entry.request.request_id = _IDS[how & 3]
        entry.request.request_method = how >> 2 & 7
    return message.SerializeToString()


def _check_entry(entry: Entry | Skipped) -> None:
    if isinstance(entry, Skipped):
        assert entry.why in _WHY
        return
    assert entry.service not in ("", "-")
    assert 0 <= entry.weight_bp <= WEIGHT_TOTAL_BP
    assert entry.bucket is None or 0 <= entry.bucket < BUCKET_COUNT
    assert entry.key_hash is None or 0 <= entry.key_hash < 2**64, f"key hash {entry.key_hash:x}"
    assert type(outcome_of(entry, _OBSERVATIONS[entry.weight_bp & 3], is_observed=True).outcome_class) is OutcomeClass


def _entries(message: bytes) -> list[Entry | Skipped] | None:
    try:
        return list(entries_of(message))
    except BadLogMessageError:
        return None


def _shown(catalogue: Catalogue) -> int:
    return sum(catalogue.outcomes.values.values())


def _check_report(window: SlotWindow, clock: _Clock) -> int:
    """The number of ended requests that the report tells of."""
    sealed = window.take(clock.now_ms(), policies.FOLLOW_UP_MS)
    told = outcomes_pb2.ReportRequest.FromString(wire.batch(1, sealed, None))
    assert len(told.batch.rows) == len(sealed.rows)
    unfinished = sum(each.count for row in told.batch.rows for each in row.classes if each.outcome_class in _UNFINISHED)
    return sum(row.requests for row in told.batch.rows) - unfinished


def execute(data: bytes) -> None:
    if not data:
        return
    message = data[1:] if data[0] & 0x80 else _made(Bites(data, 1))
    entries = _entries(message)
    for entry in entries or ():
        _check_entry(entry)
    ingest_all(message, entries, observes=data[0] & 0x40 != 0, repeats=data[0] & 0x20 != 0)


def ingest_all(message: bytes, entries: list[Entry | Skipped] | None, *, observes: bool, repeats: bool) -> None:
    clock, catalogue = _Clock(), _CATALOGUE
    window = SlotWindow(catalogue)
    ingest = Ingest(policies=_POLICIES, window=window, catalogue=catalogue, clock=clock)
    before, overflow_before = _shown(catalogue), catalogue.overflow.values.get(("rows",), 0)
    read_before = catalogue.log_entries.values.get(("counted",), 0)
    if observes:
        for number, request_id in enumerate(_IDS):
            ingest.observation(request_id, _OBSERVATIONS[number])
    ingest.access_logs(message)
    if repeats:
        ingest.access_logs(message)
    if entries is not None:
        assert ingest.take_received() == (1 + repeats) * len(entries)
    clock.ms += 1_100
    ingest.tick()
    assert not ingest._join._entries, "an entry waits longer than it may"
    ingest.flush()
    counted = catalogue.log_entries.values.get(("counted",), 0) - read_before
    overflow = catalogue.overflow.values.get(("rows",), 0) - overflow_before
    assert _check_report(window, clock) + window.late_outcomes_total + overflow == counted
    assert _shown(catalogue) - before == counted, "the dashboards tell of others than the judge is told of"
    assert not window._used
    assert not window._rows
    assert len(ingest._lanes._lanes) <= LANES_MAX
    clock.ms += 61_000
    ingest.tick()
    assert not ingest._join._observations, "an observation waits longer than it may"
    for table in catalogue.tables():
        assert len(table.values) <= LABEL_SETS_MAX + 1


def _seed() -> bytes:
    message = accesslog_pb2.StreamAccessLogsMessage()
    entry = message.http_logs.log_entry.add()
    common = entry.common_properties
    for name, value in {
        "service": "chat",
        "rollout": "r1",
        "weight_bp": "500",
        "candidate": "v2",
        "version": "v1",
    }.items():
        common.custom_tags[name] = value
    common.start_time.seconds = policies.NOW_S
    fields = common.metadata.filter_metadata["serinus"].fields
    fields["bucket"].number_value = 77
    fields["key"].string_value = "0123456789abcdef"
    fields["cohort"].string_value = "everyone"
    common.duration.nanos = 5_000_000
    common.time_to_last_upstream_rx_byte.nanos = 4_000_000
    common.upstream_request_attempt_count = 1
    entry.response.response_code.value = 200
    entry.request.request_id = "a"
    entry.request.request_method = 3
    return message.SerializeToString()


def _long(message: bytes) -> None:
    entries = _entries(message)
    ingest_all(message, entries, observes=True, repeats=True)


_SEEDS = [
    b"\x80" + _seed(),
    b"\xe0" + _seed() * 2,
    b"\x00\x01\x00\x01\x01\x0f\x00\x01\x42\x0f\x0c",
    b"\x60\x01\x45\x12\x04\x0f\x09\x10\x0a\x11\x07\x01\x81\x15\x02\x01x",
    b"\x40\x01\x02\x0f\x00\x10\x0b\x01\x40",
    b"\x00\x00\xff\xf8" + bytes(range(40)),
    b"\x40\x00\x04\x08\x03\x00\x00\x00\x01\x0d",
    b"\x00\x00\x04\x00\x17\x01\x02\x03\x00\x01\x0d" * 2,
    b"\x00\x00\xf8\x00\x01\x01\x01\x01\x01\x01\x01\x01\x01",
]
_LONG = [_seed() * 5_000, b"\x12\x00" * 100_000, b"\x12\x82\x80\x08" + b"\n\0" * 65_537]
TARGETS = {"accesslog": Target(execute, _SEEDS, [partial(_long, each) for each in _LONG], bytes_max=160)}
