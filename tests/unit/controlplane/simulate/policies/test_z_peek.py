import numpy as np

from controlplane.simulate.policies.z_peek import ZPeekPolicy
from controlplane.simulate.traffic import ArmCounts, Second


def test_it_acts_on_the_first_second_that_looks_significant_and_never_takes_it_back() -> None:
    policy = ZPeekPolicy(1)
    bad = Second(*[(ArmCounts(np.array([90]), np.array([0])), ArmCounts(np.array([10]), np.array([2])))] * 2, None)
    good = Second(*[(ArmCounts(np.array([90]), np.array([40])), ArmCounts(np.array([10]), np.array([0])))] * 2, None)
    assert policy.observe(0, bad)[0]
    assert policy.observe(1, good)[0]


def test_no_failure_is_no_difference() -> None:
    quiet = Second(*[(ArmCounts(np.array([0]), np.array([0])), ArmCounts(np.array([0]), np.array([0])))] * 2, None)
    assert not ZPeekPolicy(1).observe(0, quiet)[0]
