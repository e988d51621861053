"""The line of a sampled request, and that telling it changes nothing else."""

import json
from dataclasses import replace

import pytest

from extproc.accesslog.entry import outcome_of
from extproc.accesslog.told import LINES_MAX, RequestLog, request_line
from extproc.app import _request_log
from extproc.outcome.observation import Observation
from extproc.telemetry.catalogue import Catalogue
from tests.unit.extproc.accesslog.test_ingest import Bench
from tests.unit.extproc.messages import ending, entry, log_entry, log_message

SEEN = Observation(
    observable=True, complete=True, finish_reason="stop", has_content=True, tokens_in=10, tokens_out=20, is_stream=True
)


def test_a_line_has_the_names_of_the_schema_and_the_numbers_as_numbers() -> None:
    ended = replace(entry("q7"), start_us=1_700_000_000_250_000, duration_us=20_000, ttfb_us=3_000)
    line = request_line(ended, outcome_of(ended, SEEN))
    assert line["@timestamp"] == "2023-11-14T22:13:20.250+00:00"
    assert (line["event.outcome"], line["event.duration"]) == ("success", 20_000_000)
    assert (line["http.request.id"], line["http.response.status_code"]) == ("q7", 200)
    assert (line["service.name"], line["service.version"], line["labels.rollout"]) == ("chat", "v1", "chat-v2")
    assert (line["gen_ai.usage.input_tokens"], line["gen_ai.usage.output_tokens"]) == (10, 20)
    assert line["gen_ai.response.finish_reasons"] == ["stop"]
    assert line["serinus.time_to_first_token_ms"] == 3.0


@pytest.mark.parametrize(
    ("end", "result", "kind"),
    [
        (ending(503, "URX,UF"), "failure", "upstream_reset"),
        (ending(0, "DC", finished=False), "unknown", "client_aborted"),
        (ending(200), "success", "ok"),
    ],
)
def test_how_it_ended_is_told_in_the_schemas_words_and_in_ours(end: object, result: str, kind: str) -> None:
    ended = replace(entry(), ending=end)  # type: ignore[arg-type]
    line = request_line(ended, outcome_of(ended, None))
    assert (line["event.outcome"], line["labels.outcome"]) == (result, kind)


def test_nothing_of_the_user_is_in_a_line() -> None:
    ended = replace(entry(), key_hash=0xDEAD_BEEF, bucket=1234, slices="tenant=acme")
    text = json.dumps(request_line(ended, outcome_of(ended, SEEN)))
    for secret in ("DEADBEEF", "deadbeef", str(0xDEAD_BEEF), "1234", "acme"):
        assert secret not in text


@pytest.mark.parametrize("start_us", [-1, 0, 1 << 62])
def test_a_start_that_no_calendar_has_is_told_all_the_same(start_us: int) -> None:
    ended = replace(entry(), start_us=start_us)
    assert request_line(ended, outcome_of(ended, None))["@timestamp"]


def test_the_share_is_kept_and_the_same_requests_are_told_again() -> None:
    log = RequestLog(1_000, lambda _: None, lambda: None)
    names = [f"request-{number}" for number in range(5_000)]
    wanted = [name for name in names if log.wants(name)]
    assert 400 < len(wanted) < 600
    assert wanted == [name for name in names if log.wants(name)]
    assert not RequestLog(10_000, lambda _: None, lambda: None).wants("")


def test_of_one_second_so_many_lines_are_written_and_the_others_counted() -> None:
    lines: list[str] = []
    dropped: list[int] = []
    log = RequestLog(10_000, lines.append, lambda: dropped.append(1))
    for number in range(LINES_MAX + 5):
        ended = entry(f"q{number}")
        log.told(ended, outcome_of(ended, None), 1_000)
    assert (len(lines), len(dropped)) == (LINES_MAX, 5)
    log.told(entry("q"), outcome_of(entry("q"), None), 2_000)
    assert len(lines) == LINES_MAX + 1
    assert all(line.endswith("\n") and json.loads(line) for line in lines)


def test_telling_requests_changes_nothing_of_what_is_counted() -> None:
    lines: list[str] = []
    plain, told = Bench(), Bench()
    told.ingest._log = RequestLog(10_000, lines.append, lambda: None)
    for bench in (plain, told):
        entries = [log_entry(), log_entry(code=503, flags="URX,UF"), log_entry(code=404)]
        bench.ingest.access_logs(log_message(*entries))
        bench.ingest.observation("q1", SEEN)
        bench.clock.ms += 2_000
        bench.ingest.tick()
    assert told.sealed() == plain.sealed()
    assert told.catalogue.log_entries.values == plain.catalogue.log_entries.values
    assert told.ingest.take_received() == plain.ingest.take_received()
    assert sorted(json.loads(line)["labels.outcome"] for line in lines) == ["client_error", "ok", "upstream_reset"]


def test_lines_go_to_the_standard_output_whole(capfd: pytest.CaptureFixture[str]) -> None:
    log = _request_log(10_000, Catalogue())
    assert log is not None
    log.told(entry("q1"), outcome_of(entry("q1"), None), 0)
    assert json.loads(capfd.readouterr().out)["http.request.id"] == "q1"
    assert _request_log(0, Catalogue()) is None
