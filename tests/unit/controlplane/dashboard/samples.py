"""A rollout's record for the tests: a candidate that was rolled back at 10 %."""

from serinus.v1 import admin_pb2

START_MS = 1_790_000_000_000


def explained() -> admin_pb2.ExplainResponse:
    """What the admin API answers for it."""
    view = admin_pb2.RolloutView(
        name="chat-v3",
        service="chat",
        baseline="v2",
        candidate="v3",
        phase="rolled_back",
        step_count=3,
        steps_bp=[1000, 5000, 10000],
        weight_bp=0,
        message="finish_reason:length: candidate 8 of 8 users: worse",
        started_at_ms=START_MS,
        ended_at_ms=START_MS + 15_000,
    )
    for name, verdict, bad in (("errors", "not_enough_evidence", 0), ("finish_reason:length", "worse", 8)):
        view.metrics.append(
            admin_pb2.MetricView(
                metric=name,
                baseline_n=85,
                baseline_bad=1,
                candidate_n=8,
                candidate_bad=bad,
                worse_log_e=7.7 if bad else -0.1,
                worse_needed=5.3,
                good_log_e=999.0,
                good_needed=3.0,
                verdict=verdict,
                limit="excess under 10pp (harm budget 5% at 50%)",
            )
        )
    response = admin_pb2.ExplainResponse(rollout=view, sentences=["Rollout chat-v3 was rolled back.", "It had a plan."])
    for after_ms, action, text in (
        (0, "hold", "begun"),
        (1000, "advance", "start at 10%"),
        (15_000, "rollback", "finish_reason:length: worse"),
    ):
        response.events.append(admin_pb2.EventView(at_ms=START_MS + after_ms, action=action, text=text))
    response.samples.extend(_sample(second) for second in range(2, 15))
    return response


def _sample(second: int) -> admin_pb2.Sample:
    sample = admin_pb2.Sample(at_ms=START_MS + 1000 * second, weight_bp=1000, observed_ratio=0.1)
    for name, bad in (("errors", 0), ("finish_reason:length", second // 2)):
        sample.metrics.append(
            admin_pb2.MetricSample(
                metric=name,
                worse_log_e=0.5 * bad,
                good_log_e=-1.0,
                baseline_requests=10 * second,
                baseline_bad=1,
                candidate_requests=second,
                candidate_bad=bad,
            )
        )
    return sample
