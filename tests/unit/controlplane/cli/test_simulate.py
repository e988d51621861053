"""`serinus simulate`: a line a judge, the same figures for the same seed, replay, refusals in words."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from controlplane.cli.app import app

TRACES = Path(__file__).parents[3] / "data/traces"


def simulated(*args: str) -> Result:
    return CliRunner().invoke(app, ["simulate", "--rollouts", "20", "--rps", "20", *args])


def test_each_judge_has_its_figures() -> None:
    result = simulated(
        "--judge", "serinus,flagger", "--candidate-errors", "0.2", "--baseline-errors", "0.01", "-o", "json"
    )
    assert result.exit_code == 0
    ours, theirs = json.loads(result.stdout)["results"]
    assert (ours["judge"], theirs["judge"]) == ("serinus", "flagger")
    assert ours["rollback_share"] == 1.0
    assert ours["promoted_share"] == 0.0
    assert ours["median_requests"] < theirs["median_requests"]


def test_a_healthy_version_is_promoted_at_the_end_of_the_ramp() -> None:
    first, second = (simulated("-o", "json", "--seed", "3") for _ in range(2))
    assert first.stdout == second.stdout
    (ours,) = json.loads(first.stdout)["results"]
    assert ours["median_seconds_to_promote"] == 540
    assert ours["promoted_share"] == 1.0 - ours["rollback_share"]


@pytest.mark.parametrize("name", ["azure2023_conv_10min.csv", "servegen_m_large_week.csv"])
@pytest.mark.parametrize("world", ["steady", "sticky"])
def test_recorded_load_is_replayed(name: str, world: str) -> None:
    result = simulated("--replay", str(TRACES / name), "--world", world)
    assert result.exit_code == 0
    assert f"load of {name}" in result.stdout


@pytest.mark.parametrize(
    "args",
    [
        ("--world", "venus"),
        ("--judge", "oracle"),
        ("--rollouts", "0"),
        ("--rps", "nan"),
        ("--alpha", "0"),
        ("--baseline-errors", "2"),
        ("--replay", str(TRACES / "README.md")),
    ],
)
def test_what_cannot_be_is_a_usage_error(args: tuple[str, ...]) -> None:
    result = simulated(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")


def test_a_trace_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    result = simulated("--replay", str(tmp_path / "none.csv"))
    assert result.exit_code == 1
    assert "none.csv: cannot be read" in result.stderr
