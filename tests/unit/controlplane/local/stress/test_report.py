"""The report of a stress test: times of what ended well, failures by class beside them."""

from dataclasses import replace

import pytest

from controlplane.local.demo.tally import Sent
from controlplane.local.stress.report import Spread, as_json, class_of, report_of, rows, spread

GOOD = Sent(1_000, 1, "", "", 200, "", 20.0, 120.0, "stop", tokens=11)


def failed(status: int, failure: str) -> Sent:
    return replace(GOOD, status=status, failure=failure, ttft_ms=None, tokens=0)


@pytest.mark.parametrize(
    ("status", "failure", "expected"),
    [
        (0, "no answer: ClientConnectorError", "no_answer"),
        (0, "no whole answer within 30 s", "timeout"),
        (200, "no whole answer within 30 s", "timeout"),
        (429, "HTTP 429", "overloaded"),
        (400, "HTTP 400", "http_400"),
        (302, "HTTP 302", "http_302"),
        (503, "HTTP 503", "server_error"),
        (200, "stream broke off: ClientPayloadError", "upstream_reset"),
        (200, "error inside the stream: server_error", "in_stream_error"),
        (200, "stream ended without finish_reason", "truncated"),
        (200, "empty answer", "truncated"),
    ],
)
def test_a_failure_has_a_class(status: int, failure: str, expected: str) -> None:
    assert class_of(failed(status, failure)) == expected


def test_times_are_of_what_ended_well_and_what_was_not_sent_counts_as_failed() -> None:
    requests = [GOOD, replace(GOOD, started_ms=1_900), failed(429, "HTTP 429")]
    report = report_of(requests, not_sent=1)
    assert (report.due, report.ok, report.failed_ratio) == (4, 2, 0.5)
    assert dict(report.classes) == {"overloaded": 1, "not_sent": 1}
    assert report.ttft_ms == Spread(2, 20.0, 20.0, 20.0)
    assert report.token_ms == Spread(2, 10.0, 10.0, 10.0)
    assert report.seconds == pytest.approx(1.02)
    assert report.tokens_per_second == pytest.approx(22 / 1.02)
    assert as_json(report)["failures"] == {"overloaded": 1, "not_sent": 1}


def test_percentiles_are_observed_values() -> None:
    assert spread([float(value) for value in range(100, 0, -1)]) == Spread(100, 50.0, 95.0, 99.0)
    assert spread([7.0]) == Spread(1, 7.0, 7.0, 7.0)
    assert spread([]) is None


def test_nothing_at_all_is_all_failed_and_has_no_times() -> None:
    report = report_of([], not_sent=0)
    assert report.failed_ratio == 1.0
    assert as_json(report)["ttft_ms"] is None
    assert [label for label, _ in rows(report)] == ["requests", "rate", "failures"]
