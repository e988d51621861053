"""Results of a head-to-head as a table for people and as values for JSON."""

from collections.abc import Sequence
from dataclasses import asdict

from controlplane.simulate.head_to_head import Result, Setting


def table(setting: Setting, results: Sequence[Result]) -> str:
    """Plain text, one line a judge."""
    is_alike = setting.baseline_errors == setting.candidate_errors
    what = "falsely rolled back" if is_alike else "rolled back"
    lines = [
        f"world {setting.world}, {setting.rps:g} requests/s, errors {setting.baseline_errors:.3%} -> "
        f"{setting.candidate_errors:.3%}, weights 10..90 % in 540 s, {setting.rollouts} rollouts, seed {setting.seed}, "
        f"alpha {setting.alpha:g}",
        f"{'judge':<18}{what:>20}{'+-':>8}{'too early':>11}{'requests':>10}{'seconds':>9}",
    ]
    lines += [
        f"{result.judge:<18}{result.rollback_share:>20.4f}{2 * result.rollback_share_error:>8.4f}"
        f"{result.early_share:>11.4f}{_number(result.median_requests):>10}{_number(result.median_seconds):>9}"
        for result in results
    ]
    return "\n".join(lines)


def values(setting: Setting, results: Sequence[Result]) -> dict[str, object]:
    return {"setting": asdict(setting), "results": [asdict(result) for result in results]}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
