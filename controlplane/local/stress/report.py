"""How a stress test went: times, rates and failures by class. Pure: recorded requests in, facts and words out.

Times are of requests that ended well; failures are counted beside them, so that failing fast looks fast nowhere.
Percentiles are by nearest rank: an observed value each, of so few requests that n stands beside them.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.local.demo.chatstream import IN_STREAM
from controlplane.local.demo.load import BROKE_OFF, TIMED_OUT
from controlplane.local.demo.tally import Sent

# Not sent at all: due while as many as allowed were under way, so the servers did not keep up.
NOT_SENT = "not_sent"
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Spread:
    """Of n values, in their unit."""

    n: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class StressReport:
    """`classes`: how many requests failed, by class. `failed_ratio`: of those that were due. Times in milliseconds."""

    due: int
    ok: int
    classes: tuple[tuple[str, int], ...]
    seconds: float
    requests_per_second: float
    tokens_per_second: float
    ttft_ms: Spread | None
    duration_ms: Spread | None
    token_ms: Spread | None
    finish_reasons: tuple[tuple[str, int], ...]

    @property
    def failed_ratio(self) -> float:
        return (self.due - self.ok) / self.due if self.due else 1.0


def report_of(requests: Sequence[Sent], *, not_sent: int) -> StressReport:
    """Of everything that was sent, and what was due and could not be."""
    ok = [sent for sent in requests if not sent.failure]
    classes = Counter(class_of(sent) for sent in requests if sent.failure)
    if not_sent:
        classes[NOT_SENT] = not_sent
    begin_ms = min((sent.started_ms for sent in requests), default=0)
    end_ms = max((sent.started_ms + sent.duration_ms for sent in requests), default=0.0)
    seconds = max((end_ms - begin_ms) / 1000, 1e-3)
    streamed = [(sent, sent.ttft_ms) for sent in ok if sent.ttft_ms is not None and sent.tokens > 1]
    return StressReport(
        due=len(requests) + not_sent,
        ok=len(ok),
        classes=tuple(classes.most_common()),
        seconds=seconds,
        requests_per_second=len(ok) / seconds,
        tokens_per_second=sum(sent.tokens for sent in ok) / seconds,
        ttft_ms=spread([sent.ttft_ms for sent in ok if sent.ttft_ms is not None]),
        duration_ms=spread([sent.duration_ms for sent in ok]),
        token_ms=spread([(sent.duration_ms - ttft) / (sent.tokens - 1) for sent, ttft in streamed]),
        finish_reasons=tuple(Counter(sent.finish_reason for sent in ok).most_common()),
    )


def class_of(sent: Sent) -> str:
    """What kind of failure it was, in the words of `serinus_outcomes_total` where it has one."""
    if sent.failure.startswith(TIMED_OUT):
        return "timeout"
    if sent.status == 0:
        return "no_answer"
    if sent.status != 200:
        if sent.status == 429:
            return "overloaded"
        return "server_error" if sent.status >= 500 else f"http_{sent.status}"
    if sent.failure.startswith(BROKE_OFF):
        return "upstream_reset"
    return "in_stream_error" if sent.failure.startswith(IN_STREAM) else "truncated"


def spread(values: Sequence[float]) -> Spread | None:
    """None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    p50, p95, p99 = (ordered[math.ceil(percent / 100 * len(ordered)) - 1] for percent in PERCENTILES)
    return Spread(len(ordered), p50, p95, p99)


def rows(report: StressReport) -> list[list[str]]:
    """Label and values, for people."""
    lines = [
        ["requests", f"{report.ok} of {report.due} ended well in {report.seconds:.1f} s"],
        ["rate", f"{report.requests_per_second:.2f} requests/s, {report.tokens_per_second:.1f} output tokens/s"],
    ]
    for name, of in (
        ("first token", report.ttft_ms),
        ("end to end", report.duration_ms),
        ("per token", report.token_ms),
    ):
        if of is not None:
            lines.append([name, f"p50 {of.p50:.1f} ms, p95 {of.p95:.1f} ms, p99 {of.p99:.1f} ms (n={of.n})"])
    if report.finish_reasons:
        lines.append(["finish reasons", _counts(report.finish_reasons)])
    lines.append(["failures", _counts(report.classes) or "none"])
    return lines


def as_json(report: StressReport) -> dict[str, Any]:
    """The same for programs; a time that nobody measured is null."""

    def of(one: Spread | None) -> dict[str, float] | None:
        if one is None:
            return None
        return {"n": one.n, "p50": round(one.p50, 3), "p95": round(one.p95, 3), "p99": round(one.p99, 3)}

    return {
        "due": report.due,
        "ok": report.ok,
        "failed_ratio": round(report.failed_ratio, 6),
        "failures": dict(report.classes),
        "seconds": round(report.seconds, 3),
        "requests_per_second": round(report.requests_per_second, 3),
        "tokens_per_second": round(report.tokens_per_second, 3),
        "ttft_ms": of(report.ttft_ms),
        "duration_ms": of(report.duration_ms),
        "token_ms": of(report.token_ms),
        "finish_reasons": dict(report.finish_reasons),
    }


def _counts(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {name or 'without a reason'}" for name, count in counts)
