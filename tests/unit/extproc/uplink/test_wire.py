from extproc.aggregate.slot import MetricCount, RowCounts, RowKey, Sealed
from extproc.uplink import wire
from serinus.contract.edge import first_of
from serinus.contract.feedback import Feedback, RequestId, Said
from serinus.v1 import outcomes_pb2

Request = outcomes_pb2.ReportRequest
# The last microsecond of a slot, the highest bin: the largest number that goes out.
FIRST = first_of(999_999, 255, 255)


def test_hello_names_the_sidecar_and_its_epoch() -> None:
    hello = Request.FromString(wire.hello(sidecar="envoy-1", epoch=2**63, cluster="serinus")).hello
    assert (hello.sidecar, hello.epoch, hello.cluster) == ("envoy-1", 2**63, "serinus")


def test_a_batch_says_everything_and_no_key_in_clear() -> None:
    key = RowKey("chat", "chat-v2", "abc", 1_700_000_000, 500, "1", "everyone", "v2")
    counts = RowCounts(2, 1, {"ok": 1, "empty": 1}, {"errors": MetricCount(2, 1, {2**64 - 1}, {3})})
    counts.histograms = {"latency": {90: 4, 80: 1}}
    counts.firsts = {("latency", "ttft"): {2**64 - 1: FIRST}}
    proxy = wire.ProxyCounters(10, 1, 11, 2, (wire.ClusterHealth("chat/v2", 2, 1),), 1_700_000_000_001)
    batch = Request.FromString(wire.batch(4, Sealed({key: counts}, 1_699_999_990, 5), proxy)).batch
    assert batch == outcomes_pb2.Batch(
        seq=4,
        closed_through_slot=1_699_999_990,
        late_outcomes_total=5,
        rows=[
            outcomes_pb2.SlotRow(
                service="chat",
                rollout="chat-v2",
                snapshot="abc",
                slot=1_700_000_000,
                weight_bp=500,
                weight_class="1",
                cohort="everyone",
                version="v2",
                requests=2,
                routing_mismatches=1,
                metrics=[outcomes_pb2.MetricRow(metric="errors", observed=2, bad=1, keys_ok=[2**64 - 1], keys_bad=[3])],
                classes=[
                    outcomes_pb2.ClassCount(outcome_class="ok", count=1),
                    outcomes_pb2.ClassCount(outcome_class="empty", count=1),
                ],
                histograms=[outcomes_pb2.HistogramRow(metric="latency", bins=[80, 90], counts=[1, 4])],
                firsts=[outcomes_pb2.FirstsRow(metrics=["latency", "ttft"], keys=[2**64 - 1], firsts=[FIRST])],
            )
        ],
        proxy=outcomes_pb2.ProxyCounters(
            answered_total=10,
            untagged_total=1,
            logs_written_total=11,
            logs_lost_total=2,
            clusters=[outcomes_pb2.ClusterHealth(cluster="chat/v2", endpoints=2, healthy=1)],
            read_ms=1_700_000_000_001,
        ),
    )


def test_unread_counters_are_absent_not_zero() -> None:
    batch = Request.FromString(wire.batch(1, Sealed({}, 7, 0), None)).batch
    assert not batch.HasField("proxy")
    assert batch.closed_through_slot == 7
    assert not batch.proxy_read_elsewhere


def test_a_worker_tells_what_it_shed_and_that_another_reads_the_counters() -> None:
    message = wire.batch(1, Sealed({}, 7, 0), None, shed=3, proxy_read_elsewhere=True)
    batch = Request.FromString(message).batch
    assert (batch.shed_total, batch.proxy_read_elsewhere) == (3, True)


def test_a_policy_is_acknowledged_by_version_with_the_reason_if_refused() -> None:
    ack = Request.FromString(wire.policy_ack("p1", "bad salt")).policy_ack
    assert (ack.version, ack.error) == ("p1", "bad salt")


def test_what_clients_tell_goes_up_as_it_was() -> None:
    request = RequestId(1_790_000_000, 2**64 - 1, b"x" * 6, 7, 9, "0123456789abcdef", "v2")
    told = (
        Feedback("chat", request, Said(score=0.0, metric="helpfulness")),
        Feedback("chat", request, Said(predicted=False, actual=True, event="bought")),
    )
    first, second = Request.FromString(wire.batch(1, Sealed({}, 5, 0), None, feedback=told)).batch.feedback
    assert (first.service, first.snapshot, first.version, first.key) == ("chat", "0123456789abcdef", "v2", 2**64 - 1)
    assert (first.HasField("score"), first.score, first.HasField("actual"), first.event) == (True, 0.0, False, "")
    assert first.metric == "helpfulness"
    assert (second.HasField("score"), second.predicted, second.actual, second.event) == (False, False, True, "bought")
