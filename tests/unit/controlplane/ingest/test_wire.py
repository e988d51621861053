"""Messages of sidecars: checked once, refused whole."""

import pytest

from controlplane.ingest.errors import BadReportError
from controlplane.ingest.rows import HistogramCount
from controlplane.ingest.wire import batch_from_bytes, batch_of, hello_of, policy_message
from serinus.contract.condition import Op, Source, TextTest
from serinus.contract.policy import CohortRule, ServicePolicy
from serinus.contract.request import StickyKind, StickySource
from serinus.v1 import outcomes_pb2


def test_a_batch_becomes_values_and_a_key_bad_once_is_bad() -> None:
    metric = outcomes_pb2.MetricRow(metric="errors", observed=3, bad=1, keys_ok=[1, 2], keys_bad=[2])
    row = outcomes_pb2.SlotRow(service="chat", slot=5, weight_bp=100, requests=3, metrics=[metric])
    batch = batch_of(outcomes_pb2.Batch(seq=1, closed_through_slot=4, rows=[row], shed_total=7))
    assert batch.proxy is None
    assert (batch.shed, batch.proxy_read_elsewhere) == (7, False)
    counts = batch.rows[0].metrics["errors"]
    assert (counts.observed, counts.bad, counts.keys_ok, counts.keys_bad) == (3, 1, {1}, {2})


def test_a_row_of_a_sidecar_that_knows_no_histograms_has_none() -> None:
    (row,) = batch_of(outcomes_pb2.Batch(seq=1, rows=[outcomes_pb2.SlotRow()])).rows
    assert row.histograms == {}


def test_a_histogram_becomes_values() -> None:
    histogram = outcomes_pb2.HistogramRow(metric="latency", bins=[80, 90], counts=[2, 1])
    firsts = outcomes_pb2.FirstsRow(metrics=["latency"], keys=[2**64 - 1], firsts=[90])
    row = outcomes_pb2.SlotRow(requests=3, histograms=[histogram], firsts=[firsts])
    message = outcomes_pb2.Batch(seq=1, rows=[row])
    (found,) = batch_from_bytes(message.SerializeToString()).rows
    assert found.histograms == {"latency": HistogramCount({80: 2, 90: 1}, {2**64 - 1: 90})}


@pytest.mark.parametrize(
    ("row", "part"),
    [
        (outcomes_pb2.SlotRow(weight_bp=10_001), "weight 10001 bp"),
        (outcomes_pb2.SlotRow(requests=1, routing_mismatches=2), "more routing mismatches"),
        (
            outcomes_pb2.SlotRow(requests=1, metrics=[outcomes_pb2.MetricRow(metric="errors", observed=2)]),
            "0 bad of 2 observed of 1 requests",
        ),
        (
            outcomes_pb2.SlotRow(requests=2, metrics=[outcomes_pb2.MetricRow(metric="errors", observed=1, bad=2)]),
            "2 bad of 1 observed",
        ),
        (
            outcomes_pb2.SlotRow(requests=2, metrics=[outcomes_pb2.MetricRow(metric="e", observed=2, keys_bad=[1])]),
            "more keys than requests",
        ),
        (outcomes_pb2.SlotRow(histograms=[outcomes_pb2.HistogramRow()]), "has no name"),
        (outcomes_pb2.SlotRow(histograms=[outcomes_pb2.HistogramRow(metric="ttft")] * 2), "stands twice"),
        (outcomes_pb2.SlotRow(firsts=[outcomes_pb2.FirstsRow(metrics=["ttft"])]), "metrics of the row"),
        (outcomes_pb2.SlotRow(firsts=[outcomes_pb2.FirstsRow()] * 33), "33 kinds of firsts"),
        (
            outcomes_pb2.SlotRow(
                requests=1, histograms=[outcomes_pb2.HistogramRow(metric="ttft", bins=[3], counts=[2])]
            ),
            "2 observations of 1 requests",
        ),
    ],
)
def test_counts_that_cannot_be_are_refused(row: outcomes_pb2.SlotRow, part: str) -> None:
    with pytest.raises(BadReportError, match=part):
        batch_of(outcomes_pb2.Batch(seq=1, rows=[row]))


def test_a_batch_without_a_number_and_garbage_are_refused() -> None:
    with pytest.raises(BadReportError, match="without a number"):
        batch_of(outcomes_pb2.Batch())
    with pytest.raises(BadReportError, match="not a batch"):
        batch_from_bytes(b"\xff\xff\xff")


@pytest.mark.parametrize("hello", [outcomes_pb2.Hello(), outcomes_pb2.Hello(sidecar="x"), outcomes_pb2.Hello(epoch=1)])
def test_a_hello_needs_a_name_and_an_epoch(hello: outcomes_pb2.Hello) -> None:
    with pytest.raises(BadReportError, match="hello without"):
        hello_of(hello)


def test_a_policy_has_the_version_of_its_content() -> None:
    rule = CohortRule("staff", TextTest(Source.HEADER, "x-team", Op.IN, ("ml", "ops")), "v2")
    sticky = (StickySource(StickyKind.HEADER, "x-user"),)
    a = ServicePolicy(service="a", salt="r", baseline="v1", sticky=sticky, cohorts=(rule,))
    b = ServicePolicy(service="b", salt="r", baseline="v1", sticky=sticky)
    message = policy_message([b, a])
    assert message.version == policy_message([a, b]).version
    assert message.version != policy_message([a]).version
    assert list(getattr(message.services[0].cohorts[0], "in").values) == ["ml", "ops"]


def test_a_sidecar_cannot_come_under_the_name_that_stands_for_operators() -> None:
    with pytest.raises(BadReportError, match="without a sidecar id"):
        hello_of(outcomes_pb2.Hello(sidecar="@operators", epoch=1))
