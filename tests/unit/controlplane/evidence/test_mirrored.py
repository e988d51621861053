"""Bins from the other end: what is below becomes what is above."""

from controlplane.evidence.mirrored import mirrored_bin, with_mirrored
from controlplane.evidence.strata import BinCounts, Stratum

TOKENS = {"tokens_out": BinCounts({0: 3, 40: 2}, {7: 0, 8: 40})}
STRATUM = Stratum(1, "s", "1", 5_000, baseline={}, candidate={}, baseline_bins=TOKENS)


def test_a_metric_that_is_worse_when_lower_is_read_from_the_other_end() -> None:
    (found,) = with_mirrored([STRATUM], ["errors", "tokens_out:lower"])
    assert found.baseline_bins == {**TOKENS, "tokens_out:lower": BinCounts({255: 3, 215: 2}, {7: 255, 8: 215})}
    assert found.candidate_bins == {}


def test_without_such_a_metric_nothing_is_made() -> None:
    strata = [STRATUM]
    assert with_mirrored(strata, ["errors", "tokens_out"]) is strata


def test_the_mirror_of_the_mirror_is_the_bin() -> None:
    assert all(mirrored_bin(mirrored_bin(number)) == number for number in range(256))
    assert sorted(map(mirrored_bin, range(256))) == list(range(256))
