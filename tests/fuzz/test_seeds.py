"""Every seed and every long input passes its target, in this process and without atheris; the parts of the runner."""

import random
from pathlib import Path

import pytest

from tests.fuzz import blind, target
from tests.fuzz.bites import Bites
from tests.fuzz.processes import BLIND, GUIDED, GUIDED_MAX, PLAIN, Budget, stages_of
from tests.fuzz.result import Result, Stage
from tests.fuzz.worker import LONG_RUN_S_MAX, long_runs


@pytest.mark.parametrize("name", list(target.TARGETS))
def test_seeds_pass_and_fit(name: str) -> None:
    loaded = target.load(name)
    assert loaded.seeds
    for seed in loaded.seeds:
        assert len(seed) <= loaded.bytes_max or name in ("processing", "accesslog", "transport"), len(seed)
        loaded.execute(seed)
    for short in (b"", b"\0", b"\xff", b"\x80\xff", bytes(range(256))):
        loaded.execute(short)


@pytest.mark.parametrize("name", list(target.TARGETS))
def test_long_inputs_take_no_longer_than_they_are(name: str) -> None:
    long_runs(target.load(name), round(LONG_RUN_S_MAX))


@pytest.mark.parametrize("name", list(target.DECOYS))
def test_a_decoys_seeds_do_not_find_it(name: str) -> None:
    """Else nothing would be searched for."""
    loaded = target.load(name)
    for seed in loaded.seeds:
        loaded.execute(seed)


def test_changes_are_bounded_and_the_same_for_the_same_seed() -> None:
    seeds = [b"abc", bytes(60)]
    drawn = [[blind.changed(seeds[1], seeds, prng, 64) for _ in range(500)] for prng in map(random.Random, (1, 1, 2))]
    assert drawn[0] == drawn[1] != drawn[2]
    assert max(map(len, drawn[0])) == 64


def test_a_blind_run_keeps_the_input_that_broke_something(tmp_path: Path) -> None:
    loaded = target.load("decoy-crash")
    limits = blind.Limits(executions=200_000, seconds=0, timeout_s=60, rss_mb=4_096)
    assert blind.run(loaded, limits, seed=1, artifacts=tmp_path) == blind.CRASH
    (kept,) = tmp_path.iterdir()
    with pytest.raises(IndexError):
        loaded.execute(kept.read_bytes())


def test_past_the_end_of_an_input_all_is_0_and_empty() -> None:
    bites = Bites(b"\x02abc")
    assert (bites.text(), bites.number(), bites.is_left) == (b"ab", 0x63, False)
    assert (bites.number(), bites.word(), bites.text(), bites.of("xy")) == (0, 0, b"", "x")


def test_a_budget_is_dealt_out_whole() -> None:
    for executions in (1_000, 10_000_000):
        dealt = stages_of(Budget(executions=executions), (GUIDED, PLAIN))
        assert [engine for engine, _ in dealt] == [GUIDED, PLAIN]
        assert sum(part.executions for _, part in dealt) == executions
        assert dealt[0][1].executions <= GUIDED_MAX
    assert [(engine, part.seconds) for engine, part in stages_of(Budget(seconds=60), (GUIDED, PLAIN))] == [
        (GUIDED, 36),
        (PLAIN, 24),
    ]
    assert stages_of(Budget(seconds=3), (GUIDED, PLAIN)) == [(GUIDED, Budget(seconds=3))]
    assert stages_of(Budget(seconds=60), (BLIND,)) == [(BLIND, Budget(seconds=60))]


def _result(ending: str, *, expected: str = "", executions: int = 10) -> Result:
    stages = [Stage(GUIDED, ending, executions, 1.0, 1.0, 40)]
    return Result("x", "x", expected, 0 if expected else 10, stages, "", "")


def test_what_is_good() -> None:
    assert _result("").verdict == "passed"
    assert _result("", executions=9).verdict == "UNFINISHED"
    assert _result("hang").verdict == "HANG"
    assert _result("crash", expected="crash").verdict == "found: crash"
    assert _result("", expected="crash").verdict == _result("hang", expected="crash").verdict == "NOT FOUND (crash)"
    assert [_result("", expected="crash").is_good, _result("hang").is_good, _result("").is_good] == [False, False, True]
