"""Results of a head-to-head as a table for people and as values for JSON."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from controlplane.simulate.head_to_head import Result, Setting


def table(setting: Setting, results: Sequence[Result]) -> str:
    """Plain text, one line a judge."""
    of_trace = f", load of {setting.trace.name}" if setting.trace else ""
    is_alike = setting.baseline_errors == setting.candidate_errors
    what = "falsely rolled back" if is_alike else "rolled back"
    lines = [
        f"world {setting.world}, {setting.rps:g} requests/s, errors {setting.baseline_errors:.3%} -> "
        f"{setting.candidate_errors:.3%}, weights 10..90 % in 540 s, {setting.rollouts} rollouts, seed {setting.seed}, "
        f"alpha {setting.alpha:g}{of_trace}",
        f"{'judge':<18}{what:>20}{'+-':>8}{'too early':>11}{'requests':>10}{'seconds':>9}{'promoted':>10}{'in':>7}",
    ]
    lines += [
        f"{result.judge:<18}{result.rollback_share:>20.4f}{2 * result.rollback_share_error:>8.4f}"
        f"{result.early_share:>11.4f}{_number(result.median_requests):>10}{_number(result.median_seconds):>9}"
        f"{result.promoted_share:>10.4f}{_seconds(result.median_seconds_to_promote):>7}"
        for result in results
    ]
    return "\n".join(lines)


def values(setting: Setting, results: Sequence[Result]) -> dict[str, object]:
    asked = asdict(replace(setting, trace=None)) | {"trace": setting.trace.name if setting.trace else None}
    return {"setting": asked, "results": [asdict(result) for result in results]}


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} s"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
