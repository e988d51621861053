"""One line of JSON for a sampled request that has ended, in the Elastic Common Schema (ECS 8). Pure but for `write`.

No user, no key, no path, no prompt and no answer is in a line: what is not told to the control plane is not told here.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import xxhash

from extproc.accesslog.entry import Entry
from extproc.aggregate.slot import Outcome
from serinus.contract.metric import TOKENS_CACHED, TOKENS_IN, TOKENS_OUT, TPOT
from serinus.contract.outcome import FAILURES, OutcomeClass
from serinus.contract.weight import WEIGHT_TOTAL_BP

ECS_VERSION = "8.11.0"
# Of one second: 1 MB/s at the most, whatever was asked for; the others are counted.
LINES_MAX = 2_000
_END_US = 253_402_300_799_000_000  # the end of the year 9999, where calendars end too
_SIZES = {
    TOKENS_IN: ("gen_ai.usage.input_tokens", 1),
    TOKENS_CACHED: ("gen_ai.usage.cached_input_tokens", 1),
    TOKENS_OUT: ("gen_ai.usage.output_tokens", 1),
    TPOT: ("serinus.time_per_output_token_ms", 1_000),
}


def request_line(entry: Entry, outcome: Outcome) -> dict[str, object]:
    """What the proxy said of a request that has ended, and what it came to."""
    kind = outcome.outcome_class
    at = datetime.fromtimestamp(min(max(0, entry.start_us), _END_US) / 1_000_000, UTC)
    result = "success" if kind is OutcomeClass.OK else "failure" if kind in FAILURES else "unknown"
    line: dict[str, object] = {
        "@timestamp": at.isoformat(timespec="milliseconds"),
        "log.level": "info",
        "message": f"{outcome.service}: {kind.value}",
        "ecs.version": ECS_VERSION,
        "event.kind": "event",
        "event.category": ["web"],
        "event.dataset": "serinus.requests",
        "event.outcome": result,
        "event.duration": entry.duration_us * 1_000,
        "http.request.id": entry.request_id,
        "http.response.status_code": entry.ending.code,
        "service.name": outcome.service,
        "service.version": outcome.version,
        "labels.outcome": kind.value,
        "labels.cohort": outcome.cohort,
    }
    if outcome.rollout:
        line |= {"labels.rollout": outcome.rollout, "labels.weight_bp": str(outcome.weight_bp)}
    if entry.ending.flags:
        line["labels.envoy_flags"] = ",".join(sorted(entry.ending.flags))
    if outcome.finish_reason is not None:
        line["gen_ai.response.finish_reasons"] = [outcome.finish_reason]
    if outcome.ttft_us is not None:
        line["serinus.time_to_first_token_ms"] = min(outcome.ttft_us, entry.duration_us) / 1_000
    for metric, value in outcome.measures:
        if metric in _SIZES:
            name, unit = _SIZES[metric]
            line[name] = value / unit if unit > 1 else value
    return line


class RequestLog:
    """`share_bp` of requests, in 1/10000. `write` takes a line with its end; `dropped` is called for each that is one
    too many in its second."""

    def __init__(self, share_bp: int, write: Callable[[str], object], dropped: Callable[[], None]) -> None:
        self._share_bp, self._write, self._dropped = share_bp, write, dropped
        self._second = self._lines = 0

    def wants(self, request_id: str) -> bool:
        """Whether a request is one of the sample: by its id, alike for whoever knows the id."""
        return bool(request_id) and xxhash.xxh64_intdigest(request_id.encode()) % WEIGHT_TOTAL_BP < self._share_bp

    def told(self, entry: Entry, outcome: Outcome, now_ms: int) -> None:
        """Writes its line, if it is one of the sample."""
        if not self.wants(entry.request_id):
            return
        if now_ms // 1_000 != self._second:
            self._second, self._lines = now_ms // 1_000, 0
        if self._lines >= LINES_MAX:
            self._dropped()
            return
        self._lines += 1
        self._write(json.dumps(request_line(entry, outcome), separators=(",", ":")) + "\n")
