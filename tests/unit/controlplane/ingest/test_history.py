"""The history adds up: whatever is cut, merged, packed and thinned, the counts are those of the rows."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.ingest.history import (
    HOUR_MS,
    LATE_S,
    MINUTE_MS,
    OPEN_MAX,
    SETTLED_S,
    Counts,
    HistoryBook,
    Point,
    merged,
    packed,
    unpacked,
)
from controlplane.ingest.merge import AHEAD_S_MAX
from controlplane.ingest.registry import Registry
from controlplane.ingest.rows import Batch, Hello, HistogramCount, MetricCount, Row
from serinus.contract.edge import bin_of
from serinus.contract.metric import ERRORS, TTFT

NONE: frozenset[int] = frozenset()


def row(slot: int, *, version: str = "v1", requests: int = 10, bad: int = 1, ttft_us: int = 50_000) -> Row:
    return Row(
        service="chat",
        rollout="",
        snapshot="s",
        slot=slot,
        weight_bp=0,
        weight_class="",
        cohort="",
        version=version,
        requests=requests,
        routing_mismatches=0,
        metrics={ERRORS: MetricCount(requests, bad, NONE, NONE)},
        classes={},
        histograms={TTFT: HistogramCount({bin_of(ttft_us): requests}, {})},
    )


def test_a_minute_is_taken_once_and_half_a_minute_after_its_end() -> None:
    book = HistoryBook()
    book.add([row(0), row(59), row(60)])
    due_ms = MINUTE_MS + LATE_S * 1_000
    assert book.take(due_ms - 1) == []
    (point,) = book.take(due_ms)
    assert (point.service, point.version, point.at_ms, point.counts.requests) == ("chat", "v1", 0, 20)
    assert book.take(due_ms) == []
    (second,) = book.take(due_ms + MINUTE_MS)
    assert (second.at_ms, second.counts.requests) == (MINUTE_MS, 10)


def test_the_newest_minute_is_known_before_and_after_it_was_taken_and_not_for_longer() -> None:
    book = HistoryBook()
    book.add([row(30)])
    ended = MINUTE_MS + SETTLED_S * 1_000
    assert book.newest("chat", "v1", ended - 1) is None, "it has just ended"
    for now_ms in (ended, ended + 25_000, ended + 40_000):
        book.take(now_ms)
        found = book.newest("chat", "v1", now_ms)
        assert found is not None
        assert found.requests == 10
    assert book.newest("chat", "v2", ended) is None
    assert book.newest("chat", "v1", ended + MINUTE_MS) is None, "nothing came in the minute after"
    book.take(ended + 10 * MINUTE_MS)
    assert not book._newest, "what is old is forgotten"


def test_what_comes_late_is_one_more_point_that_adds_up() -> None:
    book = HistoryBook()
    book.add([row(5)])
    first = book.take(HOUR_MS)
    book.add([row(7, bad=10)])
    (both,) = merged([*first, *book.take(HOUR_MS)], MINUTE_MS)
    assert (both.counts.requests, both.counts.share(ERRORS)) == (20, 11 / 20)


def test_what_could_not_be_kept_comes_with_the_next() -> None:
    book = HistoryBook()
    book.add([row(5)])
    book.put_back(book.take(HOUR_MS))
    book.add([row(6)])
    assert [point.counts.requests for point in book.take(HOUR_MS)] == [20]


def test_the_open_minutes_are_bounded() -> None:
    book = HistoryBook()
    book.add(row(0, version=f"v{number}") for number in range(OPEN_MAX + 5))
    assert len(book.take(HOUR_MS)) == OPEN_MAX


@given(
    st.lists(
        st.tuples(st.integers(0, 7_200), st.sampled_from(["v1", "v2"]), st.integers(1, 50), st.integers(1, 1 << 31)),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_thinning_loses_no_request_whatever_the_way(
    told: list[tuple[int, str, int, int]], chance: random.Random
) -> None:
    book, taken = HistoryBook(), list[Point]()
    for slot, version, requests, ttft_us in told:
        book.add([row(slot, version=version, requests=requests, bad=requests // 2, ttft_us=ttft_us)])
        if chance.random() < 0.3:
            taken += book.take(chance.randrange(8_000_000))
    taken += book.take(1 << 40)
    taken = [Point(p.service, p.version, p.at_ms, p.span_ms, unpacked(packed(p.counts))) for p in taken]
    cut = chance.randrange(len(taken) + 1)
    hours = merged([*merged(taken[:cut], HOUR_MS), *taken[cut:]], HOUR_MS)
    assert len({(point.at_ms, point.version) for point in hours}) == len(hours)
    for point in hours:
        own = [each for each in told if each[1] == point.version and each[0] // 3_600 * HOUR_MS == point.at_ms]
        assert point.counts.requests == sum(each[2] for each in own)
        assert point.counts.shares[ERRORS] == [sum(e[2] for e in own), sum(e[2] // 2 for e in own)]
        assert sum(point.counts.bins[TTFT].values()) == sum(each[2] for each in own)


@pytest.mark.parametrize("part", [0.5, 0.95])
def test_a_quantile_is_within_five_percent(part: float) -> None:
    values = sorted(int(2**exponent) for exponent in [10 + number / 100 for number in range(1_000)])
    counts = Counts()
    for value in values:
        counts.add_row(row(0, requests=1, bad=0, ttft_us=value))
    exact = values[int(part * len(values))]
    assert counts.quantile(TTFT, part) == pytest.approx(exact, rel=0.06)


def test_what_was_not_observed_is_not_known() -> None:
    assert Counts().share(ERRORS) is None
    assert Counts().quantile(TTFT, 0.5) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"n":1,"s":{"errors":[1]},"b":{}}', '{"n":1,"s":{},"b":{"t":5}}'])
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no point of the history"):
        unpacked(text)


def test_what_a_clock_far_ahead_tells_is_not_waited_for() -> None:
    registry, hello, now_ms = Registry(), Hello("edge-1", 1, "default"), 1_000 * HOUR_MS
    registry.hello(hello, now_ms)
    rows = (row(now_ms // 1_000), row(now_ms // 1_000 + AHEAD_S_MAX + 1, requests=5))
    registry.batch(hello, Batch(1, now_ms // 1_000, rows, None, 0), now_ms)
    assert [point.counts.requests for point in registry.history.take(now_ms + HOUR_MS)] == [10]
