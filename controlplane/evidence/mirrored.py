"""Metrics that are worse when they are lower, as sizes: the bins are read from the other end, so that everything that
is shown of "larger is worse" holds of them. Pure.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from controlplane.evidence.strata import BinCounts, Stratum
from serinus.contract.edge import BIN_COUNT
from serinus.contract.metric import LOWER

_LAST = BIN_COUNT - 1


def mirrored_bin(number: int) -> int:
    """The place of a bin, counted from the other end; again is the bin."""
    return _LAST - number


def with_mirrored(strata: Sequence[Stratum], metrics: Collection[str]) -> Sequence[Stratum]:
    """The strata, with those of `metrics` that are worse when lower."""
    lower = [metric for metric in metrics if metric.endswith(LOWER)]
    if not lower:
        return strata
    return [
        replace(
            stratum,
            baseline_bins=_with(stratum.baseline_bins, lower),
            candidate_bins=_with(stratum.candidate_bins, lower),
        )
        for stratum in strata
    ]


def _with(binned: Mapping[str, BinCounts], lower: Sequence[str]) -> Mapping[str, BinCounts]:
    made = {metric: _mirrored(binned[of]) for metric in lower if (of := metric.removesuffix(LOWER)) in binned}
    return {**binned, **made}


def _mirrored(counts: BinCounts) -> BinCounts:
    return BinCounts(
        {mirrored_bin(number): observed for number, observed in counts.bins.items()},
        {key: mirrored_bin(number) for key, number in counts.first_bins.items()},
    )
