"""`serinus judge`: the path, the crossing, the sentence for people, and exit codes."""

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from controlplane.cli.app import app

HEADER = "slot,baseline_n,baseline_k,candidate_n,candidate_k"
BAD = f"{HEADER}\n" + "".join(f"{slot},90,0,10,2\n" for slot in range(4))
PLAIN = ("--bound", "binomial", "--restart-every", "0")


def judged(path: Path | str, *args: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, ["judge", str(path), *args], input=text)


@pytest.fixture
def slots(tmp_path: Path) -> Path:
    path = tmp_path / "slots.csv"
    path.write_text(BAD)
    return path


def test_json_holds_the_path_that_can_be_checked_by_hand(slots: Path) -> None:
    result = judged(slots, "--ratios", "3", *PLAIN, "-o", "json")
    assert result.exit_code == 0
    data = json.loads(result.stdout)
    each = 2 * (math.log(3) - math.log(1.2))
    assert [row["log_e"] for row in data["path"]] == pytest.approx([each, 2 * each, 3 * each, 4 * each])
    assert data["verdict"] == "worse"
    assert data["crossed_at_slot"] == 1
    assert data["e"] == pytest.approx(math.exp(data["log_e"]))


def test_people_get_a_sentence_and_a_table(slots: Path) -> None:
    result = judged(slots)
    assert result.stdout.startswith("worse: at slot ")
    assert "candidate 8 failures of 40 (20.000%)" in result.stdout
    assert "<- worse" in result.stdout
    calm = judged("-", text=f"{HEADER}\n1,90,9,10,1\n")
    assert calm.stdout.startswith("not enough evidence that it is worse")


def test_nothing_and_arms_of_no_length_are_no_evidence() -> None:
    for text in (HEADER, f"{HEADER}\n1,0,0,50,50\n2,0,0,0,0\n"):
        data = json.loads(judged("-", "-o", "json", text=text).stdout)
        assert (data["verdict"], data["log_e"], data["crossed_at_slot"]) == ("not_enough_evidence", 0.0, None)
        assert judged("-", text=text).exit_code == 0


def test_counts_beyond_all_measure_stay_numbers() -> None:
    result = judged("-", "-o", "json", *PLAIN, text=f"{HEADER}\n1,{10**12},0,{10**12},{10**12}\n")
    data = json.loads(result.stdout, parse_constant=pytest.fail)
    assert data["verdict"] == "worse"
    assert math.isfinite(data["e"])


def test_a_row_that_cannot_be_gives_no_verdict_but_its_line(slots: Path) -> None:
    slots.write_text(BAD + "9,90,91,10,0\n")
    result = judged(slots, "-o", "json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{slots}:6: 91 failures of 90 of the baseline cannot be" in result.stderr


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    assert judged(tmp_path / "none.csv").exit_code == 1
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in judged(tmp_path / "binary").stderr


@pytest.mark.parametrize(
    "args",
    [
        *(("--alpha", text) for text in ("0", "1", "nan")),
        *(("--ratios", text) for text in ("", "1", "x", "inf", "0.5,2")),
        ("--bound", "guess"),
        ("--restart-every", "-1"),
    ],
)
def test_options_that_cannot_be_are_usage_errors(slots: Path, args: tuple[str, ...]) -> None:
    result = judged(slots, *args)
    assert (result.exit_code, result.stdout) == (2, "")
