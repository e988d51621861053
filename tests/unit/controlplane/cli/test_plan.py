"""`serinus plan`: what it says of a rollout, `steps: auto`, too few users, refusals."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from controlplane.cli.app import app

EXAMPLES = Path(__file__).parents[4] / "docs/examples"
ROLLOUT = """
apiVersion: serinus/v1
kind: Rollout
metadata: {name: chat-v2}
spec: {service: chat, candidate: v2, steps: %s}
"""


def planned(*args: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, ["plan", *args], input=text)


def values(*args: str, text: str | None = None) -> dict[str, Any]:
    result = planned(*args, "-o", "json", text=text)
    assert result.exit_code == 0, result.output
    (only,) = json.loads(result.stdout)["plans"]
    assert isinstance(only, dict)
    return only


def test_the_example_has_a_time_to_promote_exposures_and_a_warning_of_its_first_step() -> None:
    result = planned("-f", str(EXAMPLES / "chat-v2.yaml"), "--rps", "100")
    assert result.exit_code == 0
    assert "promoted after " in result.stdout
    assert "REQUESTS EXPOSED BEFORE ROLLBACK" in result.stdout
    assert "warning: the first step (1%) is given without evidence" in result.stdout


def test_steps_auto_become_a_list_that_begins_within_the_harm_budget() -> None:
    found = values("-f", "-", "--rps", "50", "--users", "50000", text=ROLLOUT % "auto")
    assert found["is_auto"]
    assert found["steps"][0] == "0.25%"
    assert found["steps"][-1] == "100%"
    again = values("-f", "-", "--rps", "50", "--users", "50000", text=ROLLOUT % json.dumps(found["steps"]))
    assert again["outlook"] == found["outlook"]
    table = planned("-f", "-", "--users", "50000", text=ROLLOUT % "auto").stdout
    assert "# write this in place of `auto`" in table


def test_few_users_a_day_are_told_that_they_never_decide() -> None:
    found = values("-f", "-", "--users", "12", text=ROLLOUT % "[1%, 10%, 100%]")
    assert found["outlook"]["seconds_to_promote"] is None
    assert any("too few users to decide: 12 a day" in text for text in found["outlook"]["warnings"])
    assert "promoted after never" in planned("-f", "-", "--users", "12", text=ROLLOUT % "[1%, 10%, 100%]").stdout


def test_where_the_service_sticks_to_nothing_users_do_not_count(tmp_path: Path) -> None:
    service = (EXAMPLES / "chat.yaml").read_text().replace("{header: x-user-id}", "request")
    (tmp_path / "chat.yaml").write_text(service)
    found = values("-f", str(tmp_path / "chat.yaml"), "-f", str(EXAMPLES / "chat-v2.yaml"), "--users", "12")
    assert found["traffic"]["users"] is None


@pytest.mark.parametrize("args", [("--rps", "0"), ("--rps", "nan"), ("--baseline-errors", "0.9"), ("--users", "0")])
def test_traffic_that_cannot_be_is_a_usage_error(args: tuple[str, ...]) -> None:
    assert planned("-f", str(EXAMPLES / "chat-v2.yaml"), *args).exit_code == 2


def test_a_wrong_manifest_and_files_without_a_rollout_are_refused() -> None:
    wrong = planned("-f", "-", text=ROLLOUT % "[10%, 1%]")
    assert wrong.exit_code == 1
    assert "steps must rise" in wrong.stderr
    assert planned("-f", str(EXAMPLES / "chat.yaml")).exit_code == 2


def test_a_warm_up_and_a_bake_have_rows_of_their_own_and_count() -> None:
    plain = ROLLOUT % "[5%, 50%, 100%]"
    longer = plain.replace("steps:", "warm_up: 2m, bake: {for: 30m}, steps:")
    seconds = [
        values("-f", "-", "--rps", "100", text=text)["outlook"]["seconds_to_promote"] for text in (plain, longer)
    ]
    assert seconds[1] - seconds[0] == pytest.approx(120 + 1_800)
    table = planned("-f", "-", "--rps", "100", text=longer).stdout
    assert "warm-up" in table
    assert "100%, bakes" in table
