"""The pictures: SVG that stands inside HTML, with words for every line, also without colour."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from controlplane.dashboard.plots import (
    METRICS_DRAWN_MAX,
    _moves,
    evidence_svg,
    numbered_decisions,
    outcomes_svg,
    weight_svg,
)
from controlplane.dashboard.record import RolloutRecord
from controlplane.dashboard.wire import rollout_record
from tests.unit.controlplane.dashboard.samples import explained


def record() -> RolloutRecord:
    return rollout_record(explained())


def words(svg: str) -> str:
    return " ".join(text for element in ElementTree.fromstring(svg).iter() for text in [element.text or ""])


@pytest.mark.parametrize("draw", [weight_svg, evidence_svg, outcomes_svg])
def test_a_picture_is_one_svg_element_without_metadata(draw: object) -> None:
    assert callable(draw)
    svg = draw(record())
    assert svg.startswith("<svg")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "<metadata" not in svg


def test_the_weight_picture_names_both_lines_and_numbers_the_decisions() -> None:
    text = words(weight_svg(record()))
    assert "configured" in text
    assert "observed" in text
    assert numbered_decisions(record()) == [(1000, "start at 10%"), (15_000, "finish_reason:length: worse")]


def test_the_configured_weight_follows_the_decisions() -> None:
    begun = record()
    assert _moves(begun) == [
        (begun.started_ms, 0.0),
        (begun.started_ms + 1000, 10.0),
        (begun.started_ms + 15_000, 0.0),
        (begun.ended_ms + 1000, 0.0),
    ]


def test_an_operators_promotion_goes_to_the_last_step() -> None:
    begun = record()
    events = (begun.events[1], replace(begun.events[1], reason="skip_analysis"))
    assert [weight for _, weight in _moves(replace(begun, events=events))] == [0.0, 10.0, 100.0, 100.0]


def test_the_evidence_picture_names_each_metric_and_what_is_needed() -> None:
    text = words(evidence_svg(record()))
    for word in ("errors", "finish_reason:length", "worse (5.3 needed)", "good enough (3.0 needed)"):
        assert word in text


def test_the_outcome_picture_holds_the_counts_of_both_arms() -> None:
    text = words(outcomes_svg(record()))
    assert "candidate 7 of 14" in text
    assert "baseline 1 of 140" in text


def test_a_record_without_points_draws_an_empty_weight_picture_and_no_other() -> None:
    empty = replace(record(), points=(), metrics=())
    assert weight_svg(empty).startswith("<svg")
    assert (evidence_svg(empty), outcomes_svg(empty)) == ("", "")


def test_pictures_of_many_metrics_are_bounded() -> None:
    many = record()
    many = replace(many, metrics=many.metrics * 20)
    height = ElementTree.fromstring(evidence_svg(many)).attrib["height"].removesuffix("pt")
    assert float(height) <= 72 * (0.6 + 2.1 * METRICS_DRAWN_MAX) + 1


@pytest.mark.parametrize(
    ("took_s", "unit"), [(15, "seconds"), (600, "minutes"), (9_000, "hours"), (3 * 86_400, "days"), (0, "seconds")]
)
def test_the_time_axis_has_the_unit_that_fits_the_whole(took_s: int, unit: str) -> None:
    begun = record()
    text = words(weight_svg(replace(begun, ended_ms=begun.started_ms + 1000 * took_s)))
    assert f"{unit} since the start" in text
