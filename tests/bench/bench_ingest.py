"""What an access-log entry costs the sidecar: CPU of the real ingest with everything on, no transport, no process.

Entries are as Envoy 1.40 writes them, 730 bytes with all that the sidecar does not read, 31 a message: four services of
two versions, three cohorts, 5,000 users, 1 % of 503; bodies of two services are observed, half of the entries. The
observation comes before the entry, as it does in life. Everything that a request costs is in: reading, join, class,
cell, histograms, key; `report` is the second's work divided by the second's requests, `encode` the batch's bytes.
"""

import statistics
import time
from dataclasses import dataclass
from random import Random

from extproc.accesslog.ingest import Ingest
from extproc.aggregate.slot import Sealed
from extproc.aggregate.window import SlotWindow
from extproc.cohort.policies import PolicyHolder, PolicySet
from extproc.outcome.observation import Observation
from extproc.telemetry.catalogue import Catalogue
from extproc.uplink import wire
from serinus.contract.logline import OWN, SHARED, TAG, line_format
from serinus.contract.policy import ServicePolicy
from serinus.contract.request import StickyKind, StickySource
from serinus.envoywire import accesslog_pb2
from tests.bench.result import Column, Goal, Result, percentile

ENTRIES_A_MESSAGE, MESSAGES, ROUNDS = 31, 160, 15
START_US = 1_700_000_000_000_000
REQUESTS_A_SECOND = 5_000
USERS = 5_000
SERVICES = {"chat": True, "embed": True, "search": False, "rank": False}  # whether bodies are observed
WEIGHT_BP = 2_000
SEEN = Observation(observable=True, complete=True, finish_reason="stop", has_content=True)
# Fields that Envoy writes and the wire subset does not know: addresses, wire bytes, path, authority, user agent.
_COMMON_MORE = b"".join(b"%c\x11\n\x0f\x12\t127.0.0.1\x18\xf5\xf0\x02" % tag for tag in (0x12, 0x1A, 0x6A, 0x72))
_REQUEST_MORE = b"\x12\x04http\x1a\x0fchat.example:80\x2a\x14/v1/chat/completions\x32\x61" + b"M" * 97
_RESPONSE_MORE = b"\x18\xaf\x03\x32\x0cvia_upstream"


@dataclass(frozen=True)
class Load:
    """`observed` are the request ids of each message whose bodies are seen."""

    messages: list[bytes]
    observed: list[list[str]]

    @property
    def entry_bytes(self) -> float:
        return sum(map(len, self.messages)) / len(self.messages) / ENTRIES_A_MESSAGE


class _Clock:
    def now_ms(self) -> int:
        return START_US // 1_000 + 5_000

    def now_us(self) -> int:
        return START_US + 5_000_000

    def epoch_ns(self) -> int:
        return START_US * 1_000


def run() -> Result:
    """Rounds over the same messages, each with an ingest of its own."""
    load = _load(Random(7))
    rounds = [_round(load) for _ in range(ROUNDS)]
    rows = []
    for part, title in (
        ("entries", "entries: read, joined, counted"),
        ("observations", "observations handed over"),
        ("report", "report: rows of the second"),
        ("total", "together"),
        ("encode", "encode the report"),
    ):
        found = [each[part] for each in rounds]
        spread = percentile(found, 0.75) - percentile(found, 0.25)
        rows.append({"part": title, "us": _rounded(statistics.median(found)), "min": min(found), "spread": spread})
    rows = [{name: _rounded(value) for name, value in row.items()} for row in rows]
    total = statistics.median([each["total"] for each in rounds])
    return Result(
        name="ingest",
        title="Outcome ingest: CPU of the sidecar for a request's log entry",
        columns=[
            Column("part", "part"),
            Column("us", "µs a request, median of rounds"),
            Column("min", "least"),
            Column("spread", "quartile spread"),
        ],
        rows=rows,
        reading=[
            f"{MESSAGES * ENTRIES_A_MESSAGE} entries of {load.entry_bytes:.0f} bytes a round, {ROUNDS} rounds; "
            "the transport's share (HTTP/2, gRPC framing) is not in.",
        ],
        goals=[Goal("a request's log entry, everything on", round(total, 2), 5.0, "us")],
    )


def _rounded(value: object) -> object:
    return round(value, 2) if isinstance(value, float) else value


def _round(load: Load) -> dict[str, float]:
    catalogue, policies = Catalogue(), PolicyHolder(30_000)
    policies.replace(PolicySet("bench", {name: _policy(name, seen) for name, seen in SERVICES.items()}))
    window = SlotWindow(catalogue)
    ingest = Ingest(policies=policies, window=window, catalogue=catalogue, clock=_Clock())
    clock, spent = time.process_time_ns, {"entries": 0, "observations": 0, "report": 0, "encode": 0}
    for message, observed in zip(load.messages, load.observed, strict=True):
        began = clock()
        for request_id in observed:
            ingest.observation(request_id, SEEN)
        between = clock()
        ingest.access_logs(message)
        spent["entries"] += clock() - between
        spent["observations"] += between - began
    began = clock()
    sealed = window.take(_Clock().now_ms(), 30_000)
    between = clock()
    wire.batch(1, sealed, None)
    spent["report"], spent["encode"] = between - began, clock() - between
    count = ENTRIES_A_MESSAGE * len(load.messages)
    _check(sealed, catalogue, count)
    found = {part: ns / 1_000 / count for part, ns in spent.items()}
    return found | {"total": found["entries"] + found["observations"] + found["report"]}


def _check(sealed: Sealed, catalogue: Catalogue, count: int) -> None:
    """Not a request was lost, or the figure means nothing."""
    assert sum(row.requests for row in sealed.rows.values()) == count
    assert catalogue.log_entries.values == {("counted",): count}
    assert sum(sum(bins.values()) for row in sealed.rows.values() for bins in row.histograms.values()) > 1.9 * count


def _policy(name: str, is_observed: bool) -> ServicePolicy:
    sticky = (StickySource(StickyKind.HEADER, "x-user-id"),)
    return ServicePolicy(service=name, salt="r1", baseline="v1", sticky=sticky, observe_body=is_observed)


def _load(random: Random) -> Load:
    messages, observed = [], []
    for number in range(MESSAGES):
        drawn = [_drawn(random, number * ENTRIES_A_MESSAGE + place) for place in range(ENTRIES_A_MESSAGE)]
        inner = b"".join(_field(1, _entry(values)) for values in drawn)
        messages.append(_field(2, inner))
        observed.append([v["request_id"] for v in drawn if SERVICES[v["service"]] and v["code"] == "200"])
    return Load(messages, observed)


def _drawn(random: Random, number: int) -> dict[str, str]:
    service, is_candidate = random.choice(list(SERVICES)), random.random() < WEIGHT_BP / 10_000
    duration_us = int(random.lognormvariate(13, 0.8))
    bucket = random.randrange(WEIGHT_BP) if is_candidate else random.randrange(WEIGHT_BP, 10_000)
    return {
        "service": service,
        "rollout": f"{service}-v2",
        "snapshot": "2417fbef636c5421",
        "weight_bp": str(WEIGHT_BP),
        "weight_class": "1",
        "candidate": "v2",
        "baseline": "v1",
        "version": "v2" if is_candidate else "v1",
        "flags": "-",
        "code": "503" if random.random() < 0.01 else "200",
        "method": "POST",
        "attempts": "1",
        "type": "DownstreamEnd",
        "cohort": random.choices(["everyone", "staff", "beta"], [8, 1, 1])[0],
        "pin": "",
        "grpc": "-",
        "sampled": "-",
        "slices": "-",
        "bucket": str(bucket),
        "key": f"{random.randrange(USERS) * 0x9E3779B97F4A7C15 % 2**64:016x}",
        "start_us": str(START_US + number * 1_000_000 // REQUESTS_A_SECOND),
        "sent_us": str(duration_us),
        "headers_us": str(duration_us // 8),
        "body_us": str(duration_us // 3),
        "finished_us": str(duration_us - 15),
        "ran_ms": str(duration_us // 1_000),
        "request_id": f"{number:08x}-8837-412f-acd8-0c8e195727ff",
    }


def _entry(values: dict[str, str]) -> bytes:
    entry = accesslog_pb2.HTTPAccessLogEntry()
    common = entry.common_properties
    duration_us = int(values["sent_us"])
    common.start_time.FromMicroseconds(int(values["start_us"]))
    common.duration.FromMicroseconds(duration_us + 10)
    for name, at_us in (
        ("time_to_last_rx_byte", 60),
        ("time_to_first_upstream_tx_byte", 800),
        ("time_to_last_upstream_tx_byte", 801),
        ("time_to_first_upstream_rx_byte", duration_us // 8),
        ("time_to_last_upstream_rx_byte", duration_us - 15),
        ("time_to_first_downstream_tx_byte", duration_us // 8 + 20),
        ("time_to_last_downstream_tx_byte", duration_us),
    ):
        getattr(common, name).FromMicroseconds(at_us)
    common.upstream_cluster, common.route_name = f"{values['service']}/{values['version']}", f"{values['service']}/mix"
    common.upstream_request_attempt_count, common.stream_id, common.access_log_type = 1, values["request_id"], 6
    own = common.metadata.filter_metadata["serinus"].fields
    own["cohort"].string_value, own["key"].string_value = values["cohort"], values["key"]
    own["bucket"].number_value = float(values["bucket"])
    common.custom_tags[TAG] = line_format({name: values[name] for name in (*SHARED, *OWN)})
    entry.request.request_method, entry.request.request_id = 3, values["request_id"]
    entry.response.response_code.value = int(values["code"])
    return b"".join(
        (
            _field(1, common.SerializeToString() + _COMMON_MORE),
            _field(3, entry.request.SerializeToString() + _REQUEST_MORE),
            _field(4, entry.response.SerializeToString() + _RESPONSE_MORE),
        )
    )


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field of the wire format."""
    length, head = len(value), bytearray([number << 3 | 2])
    while length >= 0x80:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(head) + bytes([length]) + value
