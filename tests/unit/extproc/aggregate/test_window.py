from collections import Counter as Tally
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.aggregate.slot import MetricCount, RowCounts, RowKey, Sealed
from extproc.aggregate.window import KEYS_MAX, ROWS_MAX, SETTLE_MS, SlotWindow
from extproc.telemetry.catalogue import Catalogue
from serinus.contract.edge import bin_of, first_of
from serinus.contract.outcome import OutcomeClass
from tests.unit.extproc.messages import SLOT, START_US, outcome

FOLLOW_UP_MS = 10_000
# What `outcome()` is as a key's first: a quarter of a second into its slot, 20 ms long.
FIRST = first_of(250_000, bin_of(20_000))


class Bench:
    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self.window = SlotWindow(self.catalogue)

    def add(self, **changes: object) -> None:
        self.window.add(outcome(**changes), FOLLOW_UP_MS)  # type: ignore[arg-type]

    def take(self, now_ms: int = SLOT * 1_000) -> Sealed:
        return self.window.take(now_ms, FOLLOW_UP_MS)

    def row(self) -> RowCounts:
        (row,) = self.take().rows.values()
        return row


def test_a_request_belongs_to_the_second_of_its_start() -> None:
    """Not of its end: counting by the end lets fast failures overtake slow successes."""
    bench = Bench()
    bench.add(start_us=SLOT * 1_000_000 + 999_999, duration_us=5_000_000)
    (key,) = bench.take().rows
    assert key == RowKey("chat", "chat-v2", "0123456789abcdef", SLOT, 500, "1", "everyone", "v1")


def test_a_row_counts_requests_classes_and_metrics() -> None:
    bench = Bench()
    bench.add(key_hash=1, finish_reason="stop")
    bench.add(key_hash=2, finish_reason="length", mismatch=True)
    bench.add(key_hash=3, kind=OutcomeClass.SERVER_ERROR)
    assert bench.row() == RowCounts(
        requests=3,
        routing_mismatches=1,
        classes={"ok": 2, "server_error": 1},
        metrics={
            "errors": MetricCount(3, 1, {1, 2}, {3}),
            "finish_reason:length": MetricCount(2, 1, {1}, {2}),
            "context_too_long": MetricCount(2, 0, {1, 2}, set()),
        },
        histograms={"latency": {bin_of(20_000): 2}},
        firsts={("latency",): {1: FIRST, 2: FIRST}},
    )


def test_a_prompt_that_is_too_long_is_no_error_and_has_a_share_of_its_own() -> None:
    bench = Bench()
    bench.add(key_hash=1, finish_reason="stop")
    bench.add(key_hash=2, kind=OutcomeClass.CONTEXT_TOO_LONG)
    bench.add(key_hash=3, kind=OutcomeClass.CLIENT_ERROR)
    row = bench.row()
    assert row.metrics == {
        "errors": MetricCount(3, 0, {1, 2, 3}, set()),
        "finish_reason:length": MetricCount(1, 0, {1}, set()),
        "context_too_long": MetricCount(2, 1, {1}, {2}),
    }


@pytest.mark.parametrize("order", [[False, True], [True, False], [True, True]])
def test_a_key_that_was_bad_once_is_bad(order: list[bool]) -> None:
    bench = Bench()
    for is_bad in order:
        bench.add(key_hash=1, kind=OutcomeClass.TIMEOUT if is_bad else OutcomeClass.OK)
    count = bench.row().metrics["errors"]
    assert (count.keys_ok, count.keys_bad) == (set(), {1})


@pytest.mark.parametrize("kind", [OutcomeClass.CLIENT_ABORTED, OutcomeClass.CLIENT_ERROR, OutcomeClass.OK])
def test_the_clients_own_failures_are_no_errors(kind: OutcomeClass) -> None:
    bench = Bench()
    bench.add(kind=kind)
    count = bench.row().metrics["errors"]
    assert (count.observed, count.bad) == (1, 0)


def test_requests_that_are_not_randomised_stand_apart_and_carry_no_keys() -> None:
    bench = Bench()
    bench.add(weight_class="", kind=OutcomeClass.SERVER_ERROR)
    bench.add(weight_class="1")
    rows = bench.take().rows
    assert {key.weight_class for key in rows} == {"", "1"}
    (apart,) = (row for key, row in rows.items() if not key.weight_class)
    assert apart.metrics["errors"] == MetricCount(1, 1)


def test_reports_are_what_came_since_the_last_one() -> None:
    bench = Bench()
    bench.add()
    assert bench.take().rows
    assert bench.take().rows == {}


def test_a_slot_closes_when_its_last_request_had_the_follow_up_and_the_entry_could_come() -> None:
    bench = Bench()
    due_ms = (SLOT + 1) * 1_000 + FOLLOW_UP_MS + SETTLE_MS
    assert bench.take(due_ms - 1).closed_through_slot == SLOT - 1
    assert bench.take(due_ms).closed_through_slot == SLOT


def test_idle_time_closes_slots_too() -> None:
    bench = Bench()
    first = bench.take(SLOT * 1_000).closed_through_slot
    assert bench.take((SLOT + 60) * 1_000).closed_through_slot == first + 60


def test_a_clock_that_goes_back_opens_nothing_again() -> None:
    bench = Bench()
    first = bench.take(SLOT * 1_000)
    assert bench.take((SLOT - 60) * 1_000).closed_through_slot == first.closed_through_slot


def test_a_longer_follow_up_opens_nothing_again() -> None:
    bench = Bench()
    first = bench.take(SLOT * 1_000).closed_through_slot
    assert bench.window.take(SLOT * 1_000 + 500, FOLLOW_UP_MS * 3).closed_through_slot == first


def test_an_outcome_of_a_closed_slot_is_late() -> None:
    bench = Bench()
    bench.take((SLOT + 20) * 1_000)
    bench.add()
    sealed = bench.take((SLOT + 20) * 1_000)
    assert (sealed.rows, sealed.late_outcomes_total) == ({}, 1)
    assert bench.catalogue.late.values == {(): 1}


@pytest.mark.parametrize("start_us", [-1, -(10**30), 10**30])
def test_a_start_that_no_clock_tells_is_late(start_us: int) -> None:
    """Found by fuzzing: a report cannot carry such a slot, and the loop that reports ended the process."""
    bench = Bench()
    bench.add(start_us=start_us)
    sealed = bench.take()
    assert (sealed.rows, sealed.late_outcomes_total) == ({}, 1)


def test_lateness_is_the_requests_own_length_whenever_the_slot_closes() -> None:
    """The same for both versions: "failed within the follow-up", whatever the delays of this process."""
    bench = Bench()
    bench.add(duration_us=FOLLOW_UP_MS * 1_000)
    bench.add(duration_us=FOLLOW_UP_MS * 1_000 + 1)
    sealed = bench.take()
    assert sum(row.requests for row in sealed.rows.values()) == 1
    assert sealed.late_outcomes_total == 1


def test_too_many_rows_are_counted_not_kept() -> None:
    bench = Bench()
    for n in range(ROWS_MAX + 3):
        bench.add(cohort=f"c{n}")
    bench.add(cohort="c0")
    assert len(bench.take().rows) == ROWS_MAX
    assert bench.catalogue.overflow.values == {("rows",): 3}


def test_past_the_key_limit_requests_are_no_longer_evidence() -> None:
    bench = Bench()
    for n in range(KEYS_MAX + 3):
        bench.add(key_hash=n)
    by_class = {key.weight_class: row.requests for key, row in bench.take().rows.items()}
    assert by_class == {"1": KEYS_MAX, "": 3}
    assert bench.catalogue.overflow.values == {("keys",): 3}
    bench.add(key_hash=9)
    assert {key.weight_class for key in bench.take().rows} == {"1"}


OUTCOMES = st.lists(
    st.builds(
        lambda at, key, kind, version, finish: outcome(
            start_us=START_US + at * 300_000, key_hash=key, kind=kind, version=version, finish_reason=finish
        ),
        st.integers(0, 9),
        st.integers(0, 5),
        st.sampled_from([OutcomeClass.OK, OutcomeClass.EMPTY, OutcomeClass.CLIENT_ERROR]),
        st.sampled_from(["v1", "v2"]),
        st.sampled_from([None, "stop", "length"]),
    ),
    max_size=60,
)


def summed(
    parts: Iterable[Sealed],
) -> dict[RowKey, tuple[int, Tally[str], dict[str, tuple[int, int, set[int], set[int]]]]]:
    """Deltas added up the way the control plane does: a key that was bad in one is bad."""
    total: dict[RowKey, tuple[int, Tally[str], dict[str, tuple[int, int, set[int], set[int]]]]] = {}
    for part in parts:
        for key, row in part.rows.items():
            requests, classes, metrics = total.get(key, (0, Tally(), {}))
            for name, count in row.metrics.items():
                seen, bad, ok_keys, bad_keys = metrics.get(name, (0, 0, set(), set()))
                bad_keys = bad_keys | count.keys_bad
                ok_keys = (ok_keys | count.keys_ok) - bad_keys
                metrics[name] = (seen + count.observed, bad + count.bad, ok_keys, bad_keys)
            total[key] = (requests + row.requests, classes + Tally(row.classes), metrics)
    return total


@settings(deadline=None)
@given(outcomes=OUTCOMES, cuts=st.sets(st.integers(0, 60)))
def test_deltas_add_up_to_the_whole_however_they_are_cut(outcomes: list[object], cuts: set[int]) -> None:
    whole, cut = Bench(), Bench()
    parts = []
    for n, each in enumerate(outcomes):
        whole.window.add(each, FOLLOW_UP_MS)  # type: ignore[arg-type]
        cut.window.add(each, FOLLOW_UP_MS)  # type: ignore[arg-type]
        if n in cuts:
            parts.append(cut.take())
    assert summed([*parts, cut.take()]) == summed([whole.take()])


def test_tokens_of_prompts_go_up_and_those_from_before_are_only_counted() -> None:
    bench = Bench()
    bench.add(measures=(("tokens_out", 4), ("tokens_in", 80), ("tokens_cached", 72), ("script", 2)))
    counts = {("chat", "v1", "output"): 4, ("chat", "v1", "input"): 80, ("chat", "v1", "cached"): 72}
    assert bench.catalogue.token_counts.values == counts
    (row,) = bench.take().rows.values()
    assert set(row.histograms) == {"latency", "tokens_out", "tokens_in", "script"}
    assert dict(row.histograms["tokens_in"]) == {bin_of(80): 1}
    assert dict(row.histograms["script"]) == {2: 1}, "its number is its bin"


def test_tokens_and_their_pace_are_on_dashboards_of_what_ended_well() -> None:
    bench = Bench()
    measures = (("tpot", 30_000), ("tokens_out", 48), ("token_gap", 400_000))
    bench.add(measures=measures)
    bench.add(measures=measures)
    bench.add(measures=measures, kind=OutcomeClass.TRUNCATED)
    assert bench.catalogue.token_counts.values == {("chat", "v1", "output"): 96}
    bins = bench.catalogue.tpots.values["chat", "v1"]
    assert sum(bins.counts) == 2
    assert bins.sum_s == pytest.approx(0.06)
    assert bench.catalogue.gaps.values["chat", "v1"].sum_s == pytest.approx(0.8)
