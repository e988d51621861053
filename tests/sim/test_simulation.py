"""A small share of `make sim`: fresh seeds, and faults put in on purpose that must be found."""

import random

import pytest

from tests.sim.oracle import OracleError
from tests.sim.run import Simulation

# The rarest decoy is met by 2 seeds in 100: 400 miss it 3 times in 10,000. The first that meets it ends the search.
RUNS, DECOY_RUNS = 40, 400


def test_rollouts_under_faults_keep_every_rule() -> None:
    first = random.SystemRandom().randrange(1 << 40)
    for seed in range(first, first + RUNS):
        print(f"make sim SEED={seed}")  # pytest shows it when it fails
        Simulation(seed).run()


def test_one_seed_is_one_exact_run() -> None:
    assert Simulation(11).run() == Simulation(11).run()
    assert Simulation(11).run().digest != Simulation(12).run().digest


def all_of(decoy: str) -> None:
    for seed in range(DECOY_RUNS):
        Simulation(seed, decoy=decoy).run()


@pytest.mark.parametrize(
    ("decoy", "rule"),
    [
        ("twice", "counts once"),
        ("deaf", "when the fleet has its weight"),
        ("early", "not recorded|only what is recorded"),
    ],
)
def test_a_fault_put_in_on_purpose_is_found(decoy: str, rule: str) -> None:
    with pytest.raises(OracleError, match=rule):
        all_of(decoy)
