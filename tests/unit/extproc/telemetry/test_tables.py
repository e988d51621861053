import pytest

from extproc.telemetry.catalogue import Catalogue
from extproc.telemetry.tables import LABEL_SETS_MAX, Counter, Histogram, Metric


def test_counts_add_up_by_label_set() -> None:
    counter = Counter(Metric("c", "", ("a",)))
    counter.add(("x",))
    counter.add(("x",), 2)
    counter.add(("y",))
    assert counter.values == {("x",): 3, ("y",): 1}


def test_label_sets_are_bounded_and_the_rest_is_other() -> None:
    counter, histogram = Counter(Metric("c", "", ("a", "b"))), Histogram(Metric("h", "", ("a",), (1.0,)))
    for n in range(LABEL_SETS_MAX + 3):
        counter.add((f"{n}", ""))
        histogram.observe(0.5, (f"{n}",))
    counter.add(("0", ""))
    assert len(counter.values) == len(histogram.values) == LABEL_SETS_MAX + 1
    assert counter.values["other", "other"] == 3
    assert counter.values["0", ""] == 2
    assert sum(histogram.values["other",].counts) == 3


def test_a_wrong_number_of_labels_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="takes labels"):
        Counter(Metric("c", "", ("a",))).add()


def test_a_value_on_an_edge_belongs_to_that_edge() -> None:
    """Prometheus buckets are "less than or equal"."""
    histogram = Histogram(Metric("h", "", (), (1.0, 2.0)))
    for value_s in (0.5, 1.0, 1.5, 2.0, 3.0):
        histogram.observe(value_s)
    assert histogram.values[()].counts == [2, 2, 1]
    assert histogram.values[()].sum_s == 8.0


def test_a_total_that_is_kept_elsewhere_is_set() -> None:
    counter = Counter(Metric("c", ""))
    counter.set_total(7)
    counter.set_total(3)
    assert counter.values == {(): 3}


def test_every_metric_has_a_name_that_promtool_accepts_and_a_help() -> None:
    metrics = [table.metric for table in Catalogue().tables()]
    assert len({metric.name for metric in metrics}) == len(metrics)
    for metric in metrics:
        assert metric.name.startswith("serinus_")
        assert metric.name.endswith(("_seconds", "_ratio") if metric.buckets_s else "_total")
        assert metric.help.endswith(".")
        assert list(metric.buckets_s) == sorted(set(metric.buckets_s))
