"""`serinus demo --simulated`: both acts on the real control plane, sidecar and Envoy, about a minute."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.demo_process import DEMO, assert_act_went_well, left_running, play

pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.demo]


@pytest.mark.timeout(320)
def test_a_good_candidate_is_promoted_a_broken_one_rolled_back_and_no_user_sees_a_failure(tmp_path: Path) -> None:
    # Half the usual rate: what is asserted is the story, not the speed of the machine that runs the tests.
    played = play(tmp_path, "--simulated", "--rate", "100", timeout_s=300.0)
    good, bad = played.act("good"), played.act("bad")
    assert_act_went_well(good, phase="promoted")
    assert_act_went_well(bad, phase="rolled_back")
    assert [window["weight_bp"] for window in good["observed"]] == [1000, 5000, 10000]
    assert bad["why"].startswith("finish_reason:length: candidate ")
    assert bad["candidate_requests"] < 0.2 * bad["requests"], "the broken candidate never got beyond its first step"
    assert (played.exit_code, played.facts["ok"]) == (0, True)
    assert left_running(tmp_path) == []


@pytest.mark.timeout(120)
def test_ctrl_c_ends_everything_that_was_started(tmp_path: Path) -> None:
    log = tmp_path / "said.txt"
    with log.open("wb") as out:
        demo = subprocess.Popen(
            [*DEMO, "--simulated", "--state", str(tmp_path / "state")],
            stdout=out,
            stderr=out,
            # A job that a shell put into the background ignores Ctrl-C, and so would what it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  no thread is running
        )
        try:
            deadline = time.monotonic() + 60.0
            while "users: " not in log.read_text() and demo.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            assert len(left_running(tmp_path)) > 3, log.read_text()
            demo.send_signal(signal.SIGINT)
            assert demo.wait(timeout=30.0) == 130, log.read_text()
        finally:
            demo.kill()
            demo.wait()
    assert left_running(tmp_path) == []
