"""A small share of `make sim`: fresh seeds, and faults put in on purpose that must be found."""

import random

import pytest

from tests.sim.rules import OracleError
from tests.sim.run import Simulation

# The rarest decoy is met by 1 seed in 90: 600 miss it once in a thousand. The first that meets it ends the search.
RUNS, DECOY_RUNS = 30, 600


def test_rollouts_under_faults_keep_every_rule() -> None:
    first = random.SystemRandom().randrange(1 << 40)
    for seed in range(first, first + RUNS):
        print(f"make sim SEED={seed}")  # pytest shows it when it fails
        Simulation(seed).run()


def test_one_seed_is_one_exact_run() -> None:
    assert Simulation(11).run() == Simulation(11).run()
    assert Simulation(11).run().digest != Simulation(12).run().digest


def all_of(decoy: str, forced: frozenset[str]) -> None:
    for seed in range(DECOY_RUNS):
        Simulation(seed, decoy=decoy, forced=forced).run()


@pytest.mark.parametrize(
    ("decoy", "forced", "rule"),
    [
        ("twice", "", "counts once"),
        ("deaf", "", "when the fleet has its weight"),
        ("early", "", "unrecorded|not recorded|only what is recorded"),
        ("forgetful", "", "unrecorded|not recorded|lost or repeated|a hold changes nothing"),
        ("mute", "", "what was on its way has ended|every proxy has the weight in force"),
        ("rash", "", "routes name only clusters that the proxy holds"),
        ("sulks", "", "nothing ill holds a rollout in calm weather"),
        ("unfenced", "twins", "who led before writes no more|counts once|nothing is done unrecorded"),
        ("unsynced", "files", "what was written stays|no acknowledged slot is lost"),
        ("hookless", "hooks", "hooks have said yes"),
        ("trusting", "hooks", "hooks have said yes"),
        ("nod", "approvals", "needs a person"),
        ("thaw", "freeze_first", "no increase in a freeze"),
        ("unbaked", "bake short", "a bake has its time"),
        ("overdue", "deadline_hold", "deadline"),
        ("hasty", "slow", "a step has its time"),
        ("timeless", "slow", "a step has its time"),
    ],
)
def test_a_fault_put_in_on_purpose_is_found(decoy: str, forced: str, rule: str) -> None:
    with pytest.raises(OracleError, match=rule):
        all_of(decoy, frozenset(forced.split()))
