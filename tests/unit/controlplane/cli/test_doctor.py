"""`serinus doctor` as its user runs it, where nothing of ours runs."""

import json

from typer.testing import CliRunner

from controlplane.cli.app import app
from tests.ports import free_port


def run(*more: str) -> tuple[int, str]:
    flags = ("--http", "--sidecar-http", "--envoy-admin")
    addresses = [word for flag in flags for word in (flag, f"127.0.0.1:{free_port()}")]
    found = CliRunner().invoke(app, ["doctor", *addresses, *more])
    return found.exit_code, found.stdout


def test_a_machine_on_which_nothing_runs_is_well() -> None:
    code, text = run()
    assert code == 0, text
    assert "nothing answers" in text
    assert "envoy binary" in text


def test_the_same_for_programs() -> None:
    code, text = run("-o", "json")
    told = json.loads(text)
    assert (code, told["ok"]) == (0, True)
    assert {check["check"]: check["state"] for check in told["checks"]} == {
        "running": "note",
        "python": "ok",
        "envoy binary": "ok",
    }
