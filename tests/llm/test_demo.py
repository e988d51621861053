"""`serinus demo` with a real LLM behind the real parts: the promise of the README, about two minutes."""

from pathlib import Path

import pytest

from controlplane.errors import SerinusError
from controlplane.local.demo import llama
from tests.e2e.demo_process import assert_act_went_well, left_running, play
from tests.skips import skip

pytestmark = pytest.mark.llm


@pytest.fixture(autouse=True)
def _model_is_installed() -> None:
    try:
        llama.find_server()
        llama.find_model()
    except SerinusError as error:
        skip(error.message, next_step="make test-llm, on Linux x86-64 with glibc 2.35 or newer")


@pytest.mark.timeout(330)
def test_a_good_llm_is_promoted_and_one_with_the_wrong_template_rolled_back(tmp_path: Path) -> None:
    played = play(tmp_path, timeout_s=300.0)
    good, bad = played.act("good"), played.act("bad")
    assert_act_went_well(good, phase="promoted")
    assert_act_went_well(bad, phase="rolled_back")
    assert [window["weight_bp"] for window in good["observed"]] == [1000, 5000, 10000]
    assert bad["why"].startswith("finish_reason:length: candidate ")
    assert bad["length_by_version"]["v3"] > 0.8 * bad["requests_by_version"]["v3"], "the fault is in the content"
    assert bad["candidate_requests"] < 200
    assert (played.exit_code, played.facts["ok"]) == (0, True)
    assert left_running(tmp_path) == []
