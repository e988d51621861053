"""Rows of several sidecars become closed slots, once, in order, whatever their order."""

import itertools
from collections.abc import Mapping

from controlplane.evidence.strata import BinCounts, MetricCounts, check_slot
from controlplane.ingest.merge import SlotMerge
from controlplane.ingest.rows import HistogramCount, MetricCount, Row
from serinus.contract.edge import first_of


def row(slot: int, version: str, *, ok: set[int] = frozenset(), bad: set[int] = frozenset(), **fields: object) -> Row:  # type: ignore[assignment]
    count = MetricCount(len(ok) + len(bad), len(bad), frozenset(ok), frozenset(bad))
    values: dict[str, object] = {
        "service": "chat",
        "rollout": "chat-v2",
        "snapshot": "s1",
        "slot": slot,
        "weight_bp": 1000,
        "weight_class": "1",
        "cohort": "everyone",
        "version": version,
        "requests": len(ok) + len(bad),
        "routing_mismatches": 0,
        "metrics": {"errors": count},
        "classes": {"ok": len(ok), "server_error": len(bad)},
    }
    return Row(**{**values, **fields})  # type: ignore[arg-type]


def merge() -> SlotMerge:
    return SlotMerge(rollout="chat-v2", baseline="v1", candidate="v2")


def test_rows_add_up_whatever_their_order() -> None:
    rows = [row(5, "v1", ok={1, 2}), row(5, "v1", ok={3}, bad={2}), row(5, "v2", bad={9}), row(6, "v1", ok={1})]
    results = []
    for order in itertools.permutations(rows):
        merged = merge()
        merged.add(order, now_slot=10)
        results.append(list(merged.close(6)))
    assert all(result == results[0] for result in results)
    (slot5, (stratum,)), (slot6, _) = results[0]
    assert (slot5, slot6) == (5, 6)
    counts = stratum.baseline["errors"]
    assert (counts.observed, counts.bad, counts.keys_ok, counts.keys_bad) == (4, 1, {1, 3}, {2})
    assert stratum.candidate["errors"].keys_bad == {9}


def sized(slot: int, version: str, bins: dict[int, int], firsts: dict[int, int], **fields: object) -> Row:
    values = {"requests": sum(bins.values()), "histograms": {"latency": HistogramCount(bins, firsts)}, **fields}
    return row(slot, version, **values)  # type: ignore[arg-type]


def test_histograms_add_up_and_a_keys_first_observation_counts_whatever_their_order() -> None:
    """Two sidecars saw key 7; the one of the earlier start, 40 us into the slot, is its observation."""
    late, early = first_of(900_000, 80), first_of(40, 120)
    rows = [
        sized(5, "v1", {80: 2, 90: 1}, {7: late}),
        sized(5, "v1", {80: 1, 120: 1}, {7: early, 8: first_of(3, 80)}, cohort="staff"),
        sized(5, "v2", {70: 1}, {9: first_of(0, 70)}),
        sized(5, "v2", {200: 4}, {}, weight_class=""),
    ]
    results = []
    for order in itertools.permutations(rows):
        merged = merge()
        merged.add(order, now_slot=10)
        results.append(list(merged.close(5)))
    assert all(result == results[0] for result in results)
    ((_, (stratum,)),) = results[0]
    assert stratum.baseline_bins == {"latency": BinCounts({80: 3, 90: 1, 120: 1}, {7: 120, 8: 80})}
    assert stratum.candidate_bins == {"latency": BinCounts({70: 1}, {9: 70})}
    check_slot(5, [stratum])


def test_a_slot_is_handed_over_once_and_a_late_row_is_counted_not_judged() -> None:
    merged = merge()
    merged.add([row(5, "v1", ok={1})], now_slot=10)
    assert [slot for slot, _ in merged.close(5)] == [5]
    assert list(merged.close(5)) == []
    merged.add([row(5, "v2", bad={9}), row(4, "v2", bad={8})], now_slot=10)
    assert list(merged.close(9)) == []
    assert merged.late_requests == 2


def test_what_is_not_randomised_or_not_ours_is_no_evidence() -> None:
    merged = merge()
    others = [
        row(5, "v2", bad={1}, weight_class=""),
        row(5, "v2", bad={1}, rollout="other"),
        row(5, "v3", bad={1}),
        row(99, "v2", bad={1}),
    ]
    merged.add(others, now_slot=10)
    assert list(merged.close(200)) == []


def test_weights_and_weight_classes_are_strata_of_their_own() -> None:
    merged = merge()
    merged.add([row(5, "v1", ok={1}), row(5, "v1", ok={2}, snapshot="s2", weight_bp=5000)], now_slot=10)
    ((_, strata),) = merged.close(5)
    assert [(stratum.snapshot, stratum.weight_bp) for stratum in strata] == [("s1", 1000), ("s2", 5000)]


def test_routing_is_counted_live_by_snapshot() -> None:
    merged = merge()
    merged.add([row(5, "v1", ok={1, 2}, routing_mismatches=1), row(5, "v2", ok={3}, snapshot="s2")], now_slot=10)
    assert (merged.routing("s1").outcomes, merged.routing("s1").mismatches) == (2, 1)
    assert (merged.routing("s2").outcomes, merged.routing("s2").mismatches) == (1, 0)
    assert merged.routing("never").outcomes == 0


def test_where_values_are_compared_one_by_one_each_is_a_stratum_and_other_dimensions_are_not() -> None:
    rows = [
        row(5, "v1", ok={1}, slices="prompt=under-100,region=eu"),
        row(5, "v1", ok={2}, slices="prompt=under-100,region=us"),
        row(5, "v2", ok={3}, slices="prompt=other,region=us"),
        row(5, "v2", ok={4}),
    ]
    merged = SlotMerge(rollout="chat-v2", baseline="v1", candidate="v2", within={"prompt"})
    merged.add(rows, now_slot=10)
    ((_, strata),) = merged.close(5)
    found = {each.within: (set(keys_of(each.baseline)), set(keys_of(each.candidate))) for each in strata}
    assert found == {"prompt=under-100": ({1, 2}, set()), "prompt=other": (set(), {3}), "": (set(), {4})}
    check_slot(5, strata)
    plain = merge()
    plain.add(rows, now_slot=10)
    ((_, strata),) = plain.close(5)
    assert [each.within for each in strata] == [""]


def keys_of(metrics: Mapping[str, MetricCounts]) -> frozenset[int]:
    return metrics["errors"].keys_ok if "errors" in metrics else frozenset()
