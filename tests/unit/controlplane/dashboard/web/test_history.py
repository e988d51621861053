"""The history as lines: where they go, what they say, and what makes none."""

import pytest

from controlplane.dashboard.web.history import (
    HEIGHT,
    VERSIONS_MAX,
    WIDTH,
    Curve,
    Span,
    distributions,
    over_time,
    versions_of,
)

MINUTE = 60_000


def points_of(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_a_line_goes_from_the_first_span_to_the_last_and_higher_is_more() -> None:
    spans = [Span(place * MINUTE, "v1", 600 * (place + 1), errors=0.01 * place) for place in range(3)]
    requests, errors = over_time(spans, MINUTE)
    (line,) = requests.lines
    points = points_of(line.points)
    assert [x for x, _ in points] == [0, WIDTH / 2, WIDTH]
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert (requests.title, line.told, requests.left) == ("requests a second", "30/s", "2 min ago")
    assert errors.lines[0].told == "2%"


def test_what_was_not_observed_makes_no_plot_and_one_span_makes_none() -> None:
    spans = [Span(place * MINUTE, "v1", 600) for place in range(3)]
    assert [plot.title for plot in over_time(spans, MINUTE)] == ["requests a second"]
    assert over_time(spans[:1], MINUTE) == []
    assert over_time([], MINUTE) == []
    assert distributions(spans) == []


def test_each_version_has_its_own_place_and_there_are_so_many() -> None:
    spans = [Span(place * MINUTE, f"v{n}", 100 + n) for place in range(2) for n in range(9)]
    assert versions_of(spans) == ["v5", "v6", "v7", "v8"]
    (plot,) = over_time(spans, MINUTE)
    assert [line.place for line in plot.lines] == list(range(VERSIONS_MAX))


def test_a_distribution_rises_to_everybody_and_says_its_median() -> None:
    fast = Curve("ttft", "s", (0.1, 0.2, 0.4), (0.25, 0.5, 1.0))
    slow = Curve("ttft", "s", (0.8, 1.6), (0.4, 1.0))
    tokens = Curve("tokens_out", "tokens", (16.0,), (1.0,))
    plots = distributions([Span(0, "v1", 10, curves=(fast, tokens)), Span(0, "v2", 10, curves=(slow,))])
    assert [(plot.title, [line.told for line in plot.lines]) for plot in plots] == [
        ("time to first token", ["median 200 ms", "median 1.6 s"]),
        ("output tokens", ["median 16"]),
    ]
    for plot in plots:
        for line in plot.lines:
            points = points_of(line.points)
            assert points[0] == (0, HEIGHT)
            assert points[-1] == (WIDTH, 0)
            assert points == sorted(points, key=lambda point: (point[0], -point[1]))


def test_where_all_answers_are_alike_there_is_still_a_picture() -> None:
    (plot,) = distributions([Span(0, "v1", 10, curves=(Curve("ttft", "s", (0.1,), (1.0,)),))])
    assert points_of(plot.lines[0].points)[-1] == pytest.approx((WIDTH, 0))
