"""What is known of a service's traffic: keys within the sketch's error, rates of lately, bounds."""

import random

import pytest

from controlplane.ingest.traffic import PART_S, PARTS, RATE_S, SERVICES_MAX, Distinct, TrafficBook
from serinus.contract.metric import KEYS_COUNTED
from tests.unit.controlplane.ingest.test_merge import row

# A whole part and minute begin here.
T0 = 1_700_006_400 // PART_S * PART_S


def hashes(count: int, seed: int = 1) -> set[int]:
    source = random.Random(seed)
    return {source.getrandbits(64) for _ in range(count)}


@pytest.mark.parametrize("count", [0, 1, 10, 255, 300, 2_000, 50_000, 400_000])
def test_keys_are_counted_within_the_error_of_the_sketch(count: int) -> None:
    seen = Distinct()
    for _ in range(2):  # repeats change nothing
        seen.add(hashes(count))
    assert seen.count() == pytest.approx(count, rel=3 * 0.063)


def test_the_smallest_of_each_second_count_as_all_would() -> None:
    whole, seconds = Distinct(), Distinct()
    for seed in range(20):
        keys = hashes(1_000, seed % 12)
        whole.add(keys)
        seconds.add(sorted(keys)[:KEYS_COUNTED])
    assert seconds.count() == whole.count()


def test_sketches_merge_to_what_they_would_be_together() -> None:
    one, other, both = Distinct(), Distinct(), Distinct()
    one.add(hashes(3_000, 1))
    other.add(hashes(2_000, 2))
    both.add(hashes(3_000, 1) | hashes(2_000, 2))
    one.merge(other)
    assert one.count() == both.count()


def test_rates_are_of_the_last_quarter_of_an_hour_and_keys_of_a_day() -> None:
    book = TrafficBook()
    book.add([row(T0, "v1", ok={1, 2, 3}, requests=300)])
    book.add([row(T0 + 3_600 + second, "v1", ok={4, 5}, bad={6}, requests=10) for second in range(300)])
    found = book.of("chat", T0 + 3_899)
    assert found is not None
    assert (found.seconds, found.requests, round(found.keys)) == (3_900, 3_300, 6)
    assert found.rps == pytest.approx(3_000 / RATE_S, rel=0.1)
    assert found.error_rate == pytest.approx(1 / 3)


def test_before_a_quarter_of_an_hour_rates_are_of_the_time_there_was() -> None:
    book = TrafficBook()
    book.add([row(T0 + second, "v1", ok={second}, requests=7) for second in range(10)])
    found = book.of("chat", T0 + 9)
    assert found is not None
    assert (found.seconds, found.rps, found.error_rate) == (10, 7.0, 0.0)


def test_what_is_older_than_a_day_is_forgotten() -> None:
    book = TrafficBook()
    book.add([row(T0, "v1", ok=hashes(1_000)), row(T0 + PARTS * PART_S, "v1", ok={1, 2})])
    found = book.of("chat", T0 + PARTS * PART_S)
    assert found is not None
    assert (found.requests, round(found.keys)) == (2, 2)
    silent = book.of("chat", T0 + 9 * PARTS * PART_S)
    assert silent is not None
    assert (silent.requests, silent.rps) == (0, 0.0)


def test_keys_that_are_dealt_anew_are_not_counted_twice() -> None:
    book = TrafficBook()
    book.add([row(T0 + second, "v1", ok=hashes(1_000), rollout="") for second in range(20)])
    book.add([row(T0 + 20, "v1", ok=hashes(1_000, 2)), row(T0 + 20, "v1", ok=hashes(1_000), rollout="")])
    found = book.of("chat", T0 + 20)
    assert found is not None
    assert found.keys == pytest.approx(1_000, rel=0.15)  # of the longer time
    assert found.requests == 20_000
    book.add([row(T0 + 21 + second, "v1", ok=hashes(1_000, 2)) for second in range(40)])
    found = book.of("chat", T0 + 60)
    assert found is not None
    assert found.keys == pytest.approx(1_000, rel=0.15)
    assert found.requests > 40_000


def test_what_was_known_before_says_nothing_of_lately() -> None:
    book = TrafficBook()
    book.add([row(T0 + second, "v1", ok={second}, rollout="") for second in range(60)])
    book.add([row(T0 + 60, "v1", ok={1})])
    found = book.of("chat", T0 + 60 + 2 * RATE_S)
    assert found is not None
    assert found.rps == 0.0


def test_what_a_rollout_does_not_randomise_does_not_count() -> None:
    book = TrafficBook()
    book.add([row(T0, "v1", ok={1}, weight_class="")])
    assert book.of("chat", T0) is None
    book.add([row(T0, "v1", ok={1}, weight_class="", rollout="")])  # none runs, so nothing is
    assert book.of("chat", T0) is not None


def test_services_are_bounded_and_the_one_silent_the_longest_goes() -> None:
    book = TrafficBook()
    book.add([row(T0 + number, "v1", ok={1}, service=f"s{number}") for number in range(SERVICES_MAX + 1)])
    assert book.of("s0", T0) is None
    assert book.of("s1", T0) is not None
