"""Readings of servers, put together by version."""

import pytest

from controlplane.signals.book import (
    FULL_READINGS_MIN,
    MEMORY_EVERY_MS,
    RECENT_MS,
    STALE_MS,
    Place,
    SignalBook,
    VersionSignals,
)
from controlplane.signals.signal import Signal

ONE, TWO = Place("chat", "v2", "127.0.0.1:1"), Place("chat", "v2", "127.0.0.1:2")
OTHER = Place("chat", "v1", "127.0.0.1:3")


def book_of(*places: Place) -> SignalBook:
    book = SignalBook()
    book.follow(places)
    return book


def test_nothing_is_known_of_a_version_that_is_not_read() -> None:
    assert book_of().of("chat", "v2", 0) == VersionSignals()


def test_a_server_that_never_answered_gives_no_data() -> None:
    book = book_of(ONE)
    book.add(ONE, {}, 0)
    assert book.of("chat", "v2", 0) == VersionSignals(sources=1)


def test_a_server_that_fell_silent_gives_no_data_any_more() -> None:
    book = book_of(ONE)
    book.add(ONE, {Signal.QUEUE: 90.0}, 0)
    assert book.of("chat", "v2", STALE_MS).queue_peak == 90.0
    assert book.of("chat", "v2", STALE_MS + 1) == VersionSignals(sources=1)


def test_servers_of_a_version_are_put_together_and_of_another_not() -> None:
    book = book_of(ONE, TWO, OTHER)
    book.add(ONE, {Signal.QUEUE: 2.0, Signal.KV_CACHE: 0.5}, 0)
    book.add(TWO, {Signal.QUEUE: 3.0, Signal.KV_CACHE: 0.7}, 0)
    book.add(OTHER, {Signal.QUEUE: 50.0}, 0)
    seen = book.of("chat", "v2", 0)
    assert (seen.sources, seen.answering) == (2, 2)
    assert seen.reading == {Signal.QUEUE: 5.0, Signal.KV_CACHE: 0.7}
    assert (seen.cache_peak, seen.queue_peak) == (0.7, 3.0), "of the fullest server"
    assert book.versions() == {("chat", "v1"), ("chat", "v2")}


def test_the_fullest_moment_of_the_last_seconds_counts() -> None:
    book = book_of(ONE)
    for second, waiting in enumerate((80.0, 0.0, 1.0)):
        book.add(ONE, {Signal.QUEUE: waiting}, second * 10_000)
    assert book.of("chat", "v2", 20_000).queue_peak == 80.0
    assert book.of("chat", "v2", RECENT_MS + 1).queue_peak == 1.0


def test_a_version_is_full_when_most_of_its_servers_are_and_stay_so() -> None:
    book = book_of(ONE, TWO)
    full, calm = {Signal.QUEUE: 7.0, Signal.RUNNING: 2.0}, {Signal.QUEUE: 0.0, Signal.RUNNING: 2.0}
    for second in range(FULL_READINGS_MIN):
        assert not book.of("chat", "v2", second * 5_000).is_full
        book.add(ONE, full, second * 5_000)
    assert book.of("chat", "v2", 10_000).is_full
    for second in range(FULL_READINGS_MIN):
        book.add(TWO, calm, second * 5_000)
    assert book.of("chat", "v2", 10_000).is_full, "one of two"
    book.add(ONE, calm, 15_000)
    assert not book.of("chat", "v2", 15_000).is_full


@pytest.mark.parametrize(
    ("reading", "is_full"),
    [
        ({Signal.KV_CACHE: 0.96}, True),
        ({Signal.KV_CACHE: 0.94}, False),
        ({Signal.QUEUE: 1.0, Signal.RUNNING: 8.0}, False),
        ({Signal.QUEUE: 8.0, Signal.RUNNING: 8.0}, True),
        ({Signal.QUEUE: 3.0}, True),
        ({Signal.GPU: 1.0}, False),
    ],
)
def test_full_is_a_full_cache_or_as_many_waiting_as_running(reading: dict[Signal, float], is_full: bool) -> None:
    book = book_of(ONE)
    for second in range(FULL_READINGS_MIN):
        book.add(ONE, reading, second)
    assert book.of("chat", "v2", 2).is_full is is_full


@pytest.mark.parametrize(("waiting", "is_full"), [(35.0, True), (4.0, True), (3.0, False)])
def test_a_queue_many_times_as_long_is_full_at_once(waiting: float, is_full: bool) -> None:
    book = book_of(ONE)
    book.add(ONE, {Signal.QUEUE: waiting, Signal.RUNNING: 1.0}, 0)
    assert book.of("chat", "v2", 0).is_full is is_full


def test_counters_are_told_as_their_growth_and_a_restart_adds_no_jump() -> None:
    book = book_of(ONE)
    for second, total in enumerate((100.0, 130.0, 2.0, 5.0)):
        book.add(ONE, {Signal.PREEMPTIONS: total}, second)
    assert book.of("chat", "v2", 3).reading[Signal.PREEMPTIONS] == 33.0


def test_processor_time_becomes_cores() -> None:
    book = book_of(ONE)
    book.add(ONE, {Signal.CPU_SECONDS: 10.0}, 0)
    assert book.of("chat", "v2", 0).cpu_cores is None
    book.add(ONE, {Signal.CPU_SECONDS: 14.0}, 8_000)
    assert book.of("chat", "v2", 8_000).cpu_cores == pytest.approx(0.5)


def test_memory_that_grows_on_and_on_is_told() -> None:
    book = book_of(ONE)
    for minute in range(60):
        book.add(ONE, {Signal.MEMORY: 1e9 + minute * 1e7}, minute * MEMORY_EVERY_MS)
        book.add(ONE, {Signal.MEMORY: 5e9}, minute * MEMORY_EVERY_MS + 1_000)
    growth = book.of("chat", "v2", 59 * MEMORY_EVERY_MS + 1_000).growth
    assert growth is not None
    assert growth.is_steady
    assert growth.points == 60, "one each half minute"


def test_what_is_not_followed_any_more_is_forgotten_and_what_stays_is_kept() -> None:
    book = book_of(ONE, TWO)
    for place in (ONE, TWO):
        book.add(place, {Signal.QUEUE: 1.0}, 0)
    book.follow([TWO, OTHER])
    book.add(ONE, {Signal.QUEUE: 1.0}, 0)
    assert book.of("chat", "v2", 0).reading == {Signal.QUEUE: 1.0}
    assert book.of("chat", "v1", 0) == VersionSignals(sources=1)
