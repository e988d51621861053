"""A rollout's series: what it is called, and that there are no more of it than there should be."""

from controlplane.telemetry.rollouts import LIVE_METRICS, RolloutSeries, series

ROW = RolloutSeries(
    service="chat",
    rollout="chat-v2",
    phase="observing",
    baseline="v1",
    candidate="v2",
    weight_bp=1_000,
    observed_ratio=0.11,
    evidence={("errors", "worse"): (0.5, 4.6)},
    finding="shared_incident",
)


def test_what_the_evidence_looks_like_is_one_series() -> None:
    found = [(value, labels) for metric, value, labels in series(ROW) if metric.name == "serinus_rollout_finding"]
    assert found == [(1, ("chat", "chat-v2", "shared_incident"))]


def test_every_series_of_a_rollout_is_cleared_before_the_next_scrape() -> None:
    assert {metric for metric, _, _ in series(ROW)} == set(LIVE_METRICS)


def test_a_rollout_that_ended_an_hour_ago_has_no_series() -> None:
    ended = RolloutSeries(
        **{name: getattr(ROW, name) for name in ROW.__slots__ if name != "ended_at_ms"}, ended_at_ms=1_000_000
    )
    assert ROW.is_shown(10**12)
    assert ended.is_shown(1_000_000 + 3_599_999)
    assert not ended.is_shown(1_000_000 + 3_600_000)
