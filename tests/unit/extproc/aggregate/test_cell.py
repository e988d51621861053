"""Histograms and each key's first, as a row hands them over."""

import pytest

from extproc.aggregate.cell import BIN_OF_GRID, GRID_US, bucket_of_grid
from extproc.aggregate.slot import RowCounts
from extproc.aggregate.window import SlotWindow
from extproc.telemetry.catalogue import DURATION_BUCKETS_S, Catalogue
from serinus.contract.edge import bin_of, first_of
from serinus.contract.outcome import FAILURES, OutcomeClass
from tests.unit.extproc.messages import SLOT, outcome

FOLLOW_UP_MS = 10_000
AT_US = SLOT * 1_000_000


def row_of(*outcomes: dict[str, object], attempts: int = 1) -> RowCounts:
    window = SlotWindow(Catalogue())
    for changes in outcomes:
        window.add(outcome(**changes), FOLLOW_UP_MS, attempts=attempts)  # type: ignore[arg-type]
    (row,) = window.take(SLOT * 1_000, FOLLOW_UP_MS).rows.values()
    return row


def test_a_request_that_ended_well_has_a_latency_and_a_time_to_first_byte() -> None:
    row = row_of({"key_hash": 7, "start_us": AT_US + 40, "duration_us": 20_000, "ttft_us": 3_000})
    assert row.histograms == {"latency": {bin_of(20_000): 1}, "ttft": {bin_of(3_000): 1}}
    assert row.firsts == {("latency", "ttft"): {7: first_of(40, bin_of(20_000), bin_of(3_000))}}


@pytest.mark.parametrize(
    ("form", "metrics"),
    [
        ("streams", ("latency", "latency:streams", "ttft")),
        ("whole", ("latency", "latency:whole", "ttft")),
        ("either", ("latency", "latency:streams", "latency:whole", "ttft")),
    ],
)
def test_of_an_observed_answer_the_latency_is_told_by_its_form_too(form: str, metrics: tuple[str, ...]) -> None:
    row = row_of({"key_hash": 7, "start_us": AT_US + 40, "duration_us": 20_000, "ttft_us": 3_000, "form": form})
    numbers = [bin_of(3_000 if metric == "ttft" else 20_000) for metric in metrics]
    assert row.histograms == {metric: {number: 1} for metric, number in zip(metrics, numbers, strict=True)}
    assert row.firsts == {metrics: {7: first_of(40, *numbers)}}


def test_forms_are_told_apart_within_one_slot() -> None:
    """A key's first stream is one, and its first whole answer another."""
    row = row_of(
        {"key_hash": 7, "start_us": AT_US + 9, "duration_us": 90_000, "form": "streams"},
        {"key_hash": 7, "start_us": AT_US + 5, "duration_us": 10_000, "form": "whole"},
    )
    slow, fast = bin_of(90_000), bin_of(10_000)
    assert row.histograms["latency"] == {slow: 1, fast: 1}
    assert (row.histograms["latency:streams"], row.histograms["latency:whole"]) == ({slow: 1}, {fast: 1})
    assert row.firsts == {
        ("latency", "latency:streams"): {7: first_of(9, slow, slow)},
        ("latency", "latency:whole"): {7: first_of(5, fast, fast)},
    }


@pytest.mark.parametrize("kind", [OutcomeClass.TRUNCATED, OutcomeClass.CLIENT_ABORTED])
def test_a_form_without_a_latency_says_nothing(kind: OutcomeClass) -> None:
    row = row_of({"kind": kind, "ttft_us": 3_000, "form": "streams"})
    assert "latency:streams" not in row.histograms


@pytest.mark.parametrize("kind", [*sorted(FAILURES, key=str), OutcomeClass.CLIENT_ERROR, OutcomeClass.LIMITED])
def test_how_long_a_failure_took_is_no_latency(kind: OutcomeClass) -> None:
    row = row_of({"kind": kind, "ttft_us": 3_000})
    assert (row.histograms, row.firsts) == ({}, {})


def test_a_client_that_left_had_its_first_byte_but_no_latency() -> None:
    row = row_of({"kind": OutcomeClass.CLIENT_ABORTED, "key_hash": 7, "start_us": AT_US, "ttft_us": 3_000})
    assert row.histograms == {"ttft": {bin_of(3_000): 1}}
    assert row.firsts == {("ttft",): {7: bin_of(3_000)}}


def test_a_client_that_left_before_the_first_byte_has_neither() -> None:
    assert row_of({"kind": OutcomeClass.CLIENT_ABORTED}).histograms == {}


def test_a_request_that_no_version_answered_says_nothing_of_one() -> None:
    assert row_of({"version": "", "weight_class": "", "ttft_us": 5}).histograms == {}


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_a_keys_first_is_the_request_that_started_first_whatever_their_order(order: list[int]) -> None:
    """All count in the bins; the key counts with one, across finish reasons too."""
    requests: list[dict[str, object]] = [
        {"start_us": AT_US + 500_000, "duration_us": 10_000},
        {"start_us": AT_US + 20, "duration_us": 90_000, "finish_reason": "length"},
        {"start_us": AT_US + 999_999, "duration_us": 10_000, "finish_reason": "stop"},
    ]
    row = row_of(*(requests[place] for place in order))
    assert row.histograms == {"latency": {bin_of(10_000): 2, bin_of(90_000): 1}}
    assert row.firsts == {("latency",): {7: first_of(20, bin_of(90_000))}}


@pytest.mark.parametrize("changes", [{"weight_class": ""}, {"key_hash": None}])
def test_who_is_not_randomised_is_on_dashboards_without_a_key(changes: dict[str, object]) -> None:
    row = row_of({"ttft_us": 3_000, **changes})
    assert set(row.histograms) == {"latency", "ttft"}
    assert row.firsts == {}


def test_other_measures_have_histograms_of_their_own() -> None:
    well = {"start_us": AT_US + 2, "measures": (("tpot", 9_000), ("tokens_out", 48))}
    row = row_of({**well, "key_hash": 7}, {**well, "key_hash": None}, {**well, "kind": OutcomeClass.TRUNCATED})
    assert row.histograms["tpot"] == {bin_of(9_000): 2}
    assert row.histograms["tokens_out"] == {bin_of(48): 2}
    assert row.firsts["tpot", "tokens_out"] == {7: first_of(2, bin_of(9_000), bin_of(48))}


def test_badness_is_its_own_bin_and_of_six_measures_five_go_up_together() -> None:
    badness = (("repetition", 35), ("mixed_script", 0), ("control_tokens", 100), ("refusal", 200))
    well = {"start_us": AT_US + 2, "measures": (("tpot", 9_000), ("tokens_out", 48), *badness)}
    row = row_of({**well, "key_hash": 7})
    assert [row.histograms[metric] for metric, _ in badness] == [{35: 1}, {0: 1}, {100: 1}, {100: 1}]
    together = ("tpot", "tokens_out", "repetition", "mixed_script", "control_tokens")
    assert row.firsts[together] == {7: first_of(2, bin_of(9_000), bin_of(48), 35, 0, 100)}
    assert row.firsts["refusal",] == {7: first_of(2, 100)}


def test_a_first_byte_after_the_last_came_with_it() -> None:
    assert row_of({"duration_us": 20_000, "ttft_us": 30_000}).histograms["ttft"] == {bin_of(20_000): 1}


def test_the_grid_serves_bins_and_buckets_alike() -> None:
    """A bucket holds what is at most its edge, a bin what is below the next."""
    buckets_us = [round(edge_s * 1e6) for edge_s in DURATION_BUCKETS_S]
    bucket_of = bucket_of_grid(DURATION_BUCKETS_S)
    for value_us in {edge + more for edge in (0, *GRID_US) for more in (0, 1)} | {0, 1, 2**40}:
        place = sum(edge <= value_us for edge in GRID_US)
        assert BIN_OF_GRID[place] == bin_of(value_us)
        assert bucket_of[place] == sum(edge < value_us for edge in buckets_us)


def test_a_request_that_was_tried_again_has_no_time_of_its_own_and_is_no_less_an_outcome() -> None:
    row = row_of({"ttft_us": 3_000, "measures": (("tokens_out", 48),)}, attempts=2)
    assert (row.requests, row.metrics["errors"].observed, row.histograms) == (1, 1, {})
