import json

import pytest

from controlplane.simulate.__main__ import main


def test_it_prints_a_table_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rollouts", "5", "--rps", "5", "--judge", "serinus,flagger"]) == 0
    assert "flagger" in capsys.readouterr().out
    assert main(["--rollouts", "5", "--rps", "5", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["judge"] == "serinus"


def test_a_setting_that_cannot_be_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--world", "venus"]) == 2
    assert "one of steady" in capsys.readouterr().err


def test_the_gate_runs_every_healthy_world_and_says_whether_the_promise_was_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--gate", "--rollouts", "2", "--baseline-errors", "0.001", "--loads", "5"]) == 0
    assert capsys.readouterr().out.strip().endswith("kept")
