"""The path of a judge: running totals by second, as the engine keeps them for plots and notes."""

from controlplane.engine.evidence import MetricSample, Sample

# 100 requests a second and version. Of the second list, the candidate fails ten times as often from second 90 on.
CALM, LATE = [1, 2] * 90, [1, 2] * 45 + [15] * 90


def path(baseline: list[int], candidate: list[int], *, metrics: int = 1) -> list[Sample]:
    """100 requests a slot and version, so many of them bad."""
    return [
        Sample(
            at_ms=1_000 * slot,
            weight_bp=5_000,
            observed_ratio=0.5,
            metrics=tuple(
                MetricSample(
                    f"errors-{name}",
                    worse_log_e=0.0,
                    good_log_e=0.0,
                    baseline_requests=100 * (slot + 1),
                    baseline_bad=sum(baseline[: slot + 1]),
                    candidate_requests=100 * (slot + 1),
                    candidate_bad=sum(candidate[: slot + 1]),
                )
                for name in range(metrics)
            ),
        )
        for slot in range(len(baseline))
    ]
