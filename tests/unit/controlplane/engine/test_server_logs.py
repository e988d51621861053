"""Patterns in the servers' logs: what both versions log alike is no news, what the candidate logs more is."""

import random

from controlplane.engine.server_logs import EVERY_MS, LogRates, log_series
from controlplane.signals.book import SignalBook
from controlplane.signals.logs.book import LogPlace, LogTarget, VersionLogs

PATTERNS = (("cuda", "CUDA"), ("oom", "out of memory"))


def logs(**seconds: int) -> VersionLogs:
    return VersionLogs(sources=1, followed=1, seconds=seconds)


def told(rates: LogRates) -> list[str]:
    return [each.sentence for each in rates.annotations()]


def test_the_candidate_logs_what_the_baseline_does_not() -> None:
    rates, now_ms = LogRates(), 0
    for look in range(1, 13):
        now_ms += EVERY_MS
        rates.look(logs(cuda=0, oom=0), logs(cuda=0, oom=2 * look), (900 * look, 100 * look), now_ms)
    (sentence,) = told(rates)
    assert sentence.startswith("logs: the candidate's servers wrote oom in 22 seconds for 1100 requests, ")
    assert "the baseline's in 0 for 9900" in sentence


def test_equal_rates_are_noted_in_few_of_many_runs() -> None:
    wrong = 0
    for seed in range(300):
        dice, rates, counts, now_ms = random.Random(seed), LogRates(), [0, 0], 0
        for look in range(1, 61):
            now_ms += EVERY_MS
            counts[0] += sum(dice.random() < 0.18 for _ in range(10))
            counts[1] += sum(dice.random() < 0.02 for _ in range(10))
            rates.look(logs(oom=counts[0]), logs(oom=counts[1]), (900 * look, 100 * look), now_ms)
        wrong += bool(told(rates))
    assert wrong <= 9, "1 % of runs is what the limit lets through; 9 of 300 would be that by 1 in 1,000"


def test_without_logs_on_both_sides_or_requests_on_both_nothing_is_said() -> None:
    alone, idle, now_ms = LogRates(), LogRates(), 0
    assert not told(LogRates())
    for look in range(1, 30):
        now_ms += EVERY_MS
        alone.look(VersionLogs(), logs(oom=9 * look), (900 * look, 100 * look), now_ms)
        idle.look(logs(oom=0), logs(oom=9 * look), (900, 100), now_ms)
    assert not told(alone)
    assert not told(idle)


def test_looks_in_between_cost_nothing_and_other_patterns_begin_anew() -> None:
    rates = LogRates()
    rates.look(logs(oom=0), logs(oom=0), (0, 0), EVERY_MS)
    rates.look(logs(oom=0), logs(oom=50), (90, 10), EVERY_MS + 1)
    assert not told(rates), "too soon"
    for look in range(1, 20):
        rates.look(logs(oom=0), logs(oom=9 * look), (90 * look, 10 * look), EVERY_MS * (1 + look))
    assert told(rates)
    rates.look(logs(cuda=0), logs(cuda=9), (9_000, 1_000), EVERY_MS * 30)
    assert not told(rates)


def test_series_of_all_that_is_followed() -> None:
    book = SignalBook()
    place = LogPlace("chat", "v2", "v2.log")
    book.logs.follow((LogTarget(place, False, PATTERNS),))
    book.logs.add(place, {"oom": 3}, 1_000)
    found = {(metric.name, labels): value for metric, value, labels in log_series(book, 1_000)}
    assert found == {
        ("serinus_server_log_sources", ("chat", "v2", "followed")): 0,
        ("serinus_server_log_sources", ("chat", "v2", "missing")): 1,
        ("serinus_server_log_skipped_bytes_total", ("chat", "v2")): 0,
        ("serinus_server_log_lines_total", ("chat", "v2", "cuda")): 0,
        ("serinus_server_log_lines_total", ("chat", "v2", "oom")): 3,
    }
