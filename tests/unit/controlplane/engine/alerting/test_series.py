"""Windows over what was gathered: shares of counts, numbers as they are, and silence where nobody can say."""

from controlplane.engine.alerting.series import EVERY_MS, POINTS_MAX, REQUESTS_MIN, Counts, Series

T0 = 1_000_000


def counted(*totals: tuple[int, int]) -> Series:
    series = Series()
    for number, (requests, bad) in enumerate(totals):
        series.add(T0 + number * EVERY_MS, Counts(requests, bad))
    return series


def test_a_share_is_of_the_requests_of_its_window() -> None:
    series = counted((100, 0), (200, 0), (300, 50), (400, 50))
    now_ms = T0 + 3 * EVERY_MS
    assert series.value(now_ms, EVERY_MS) == 0.0
    assert series.value(now_ms, 2 * EVERY_MS) == 0.25
    assert series.value(now_ms, 60_000) == 50 / 400, "of all that there was"
    assert series.rate(now_ms, 10_000) == 20.0


def test_few_requests_say_nothing() -> None:
    assert counted((0, 0), (REQUESTS_MIN - 1, 10)).value(T0 + EVERY_MS, EVERY_MS) is None
    assert counted((0, 0), (REQUESTS_MIN, 10)).value(T0 + EVERY_MS, EVERY_MS) == 0.5


def test_what_is_old_is_not_now() -> None:
    series = counted((100, 0), (200, 0))
    assert series.value(T0 + 4 * EVERY_MS, EVERY_MS * 4) is not None
    assert series.value(T0 + 5 * EVERY_MS, EVERY_MS * 5) is None
    assert Series().value(T0, 60_000) is None


def test_another_rollout_begins_anew() -> None:
    series = counted((1_000, 500), (1_100, 500), (40, 10))
    assert series.value(T0 + 2 * EVERY_MS, 600_000) == 0.25


def test_a_number_is_the_newest_one_and_nothing_is_not_remembered() -> None:
    series = Series()
    series.add(T0, 3.0)
    series.add(T0 + EVERY_MS, None)
    assert series.value(T0 + EVERY_MS, 60_000) == 3.0
    assert series.path(T0 + EVERY_MS, 60_000, 30_000) == [(T0 / 1000, 3.0)]


def test_an_hour_is_kept() -> None:
    series = Series()
    for number in range(3 * POINTS_MAX):
        series.add(T0 + number * EVERY_MS, float(number))
    assert len(series) == POINTS_MAX
    path = series.path(T0 + 3 * POINTS_MAX * EVERY_MS, 1 << 40, 60_000)
    assert path[-1][0] - path[0][0] >= 3_600
