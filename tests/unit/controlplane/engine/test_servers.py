"""What the servers of both versions say, as facts, as words and as series of a rollout."""

from dataclasses import replace

import pytest

from controlplane.engine.servers import explains, server_series, servers_fact, shortage
from controlplane.evidence.verdict import Assessment, ObservedShare, Verdict
from controlplane.rollout.events import ServersFact
from controlplane.signals.book import FULL_READINGS_MIN, Place, SignalBook
from controlplane.signals.signal import Reading, Signal
from tests.unit.controlplane.engine.test_people import HALF
from tests.unit.controlplane.rollout.facts import rollout

FULL = {Signal.KV_CACHE: 0.98, Signal.QUEUE: 72.0, Signal.RUNNING: 24.0}
CALM = {Signal.KV_CACHE: 0.4, Signal.QUEUE: 0.0, Signal.RUNNING: 20.0}


def book_of(baseline: Reading, candidate: Reading) -> SignalBook:
    book = SignalBook()
    places = {"v1": Place("chat", "v1", "a"), "v2": Place("chat", "v2", "b")}
    book.follow(tuple(places.values()))
    for second in range(FULL_READINGS_MIN):
        book.add(places["v1"], baseline, second)
        book.add(places["v2"], candidate, second)
    return book


def test_the_facts_are_the_candidates() -> None:
    assert servers_fact(book_of(CALM, FULL), rollout(), 2) == ServersFact(1, 1, 0.98, 72.0)
    assert servers_fact(SignalBook(), rollout(), 2) == ServersFact()


def test_a_shortage_is_the_candidates_alone() -> None:
    words = shortage(book_of(CALM, FULL), rollout(), 2)
    assert words == "the candidate's servers are full (KV cache 98%, 72 requests wait beside 24 that run)"
    assert shortage(book_of(FULL, FULL), rollout(), 2) == "", "everyone is full"
    assert shortage(book_of(FULL, CALM), rollout(), 2) == ""
    assert shortage(book_of({}, FULL), rollout(), 2) == "", "nobody can see whether the baseline is too"


def test_series_are_those_that_are_known() -> None:
    found = {(metric.name, labels): value for metric, value, labels in server_series(book_of({}, FULL), 2)}
    v1, v2 = ("chat", "v1"), ("chat", "v2")
    assert found == {
        ("serinus_server_sources", (*v1, "answering")): 0,
        ("serinus_server_sources", (*v1, "silent")): 1,
        ("serinus_server_sources", (*v2, "answering")): 1,
        ("serinus_server_sources", (*v2, "silent")): 0,
        ("serinus_server_kv_cache_used_ratio", v2): 0.98,
        ("serinus_server_queue_depth", v2): 72.0,
        ("serinus_server_running_requests", v2): 24.0,
    }


@pytest.mark.parametrize(
    ("metric", "verdict", "expected"),
    [
        ("errors", Verdict.WORSE, "full"),
        ("latency", Verdict.WORSE, "full"),
        ("finish_reason:length", Verdict.WORSE, ""),
        ("finish_reason:length", Verdict.NOT_ENOUGH_EVIDENCE, "full"),
    ],
)
def test_a_version_that_never_ends_is_not_excused_by_the_servers_it_fills(
    metric: str, verdict: Verdict, expected: str
) -> None:
    rows = (replace(HALF, metric="repetition", worse_log_e=0.1), replace(HALF, metric=metric, worse_log_e=7.0))
    assert explains("full", Assessment(verdict, rows, ObservedShare(0, 0, 0, 1.0, True), 9.0)) == expected
    assert explains("full", None) == "full"
