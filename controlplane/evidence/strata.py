"""Strata: the counts of one slot under one weight, checked before anything reads them.

Stratum = (service, weight class, snapshot, slot). Inside a stratum the arms are compared given the weight in force
where the requests were routed; across strata only evidence is added, so drift, load and weight changes cannot fake a
difference. Rules held here:
- bad input is refused whole, with a typed error, before the judge's state is touched;
- pinned, forced, untagged and shadow requests have no weight class ("") and never enter;
- the order in which strata are handed over does not matter: they are sorted by what no outcome decides;
- a key seen in both arms of one stratum is a routing fault: it is left out of the comparison and counted.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from controlplane.evidence.errors import CountsError, SlotOrderError, WeightError
from serinus.contract.edge import BIN_COUNT
from serinus.contract.weight import WEIGHT_TOTAL_BP

_KEY_END = 1 << 64


@dataclass(frozen=True, slots=True)
class MetricCounts:
    """One metric of one arm in one slot. Keys are 64-bit hashes of sticky keys."""

    observed: int  # requests in which the metric could be told
    bad: int
    keys_ok: frozenset[int]  # never bad in the slot
    keys_bad: frozenset[int]  # bad at least once in the slot


@dataclass(frozen=True, slots=True)
class BinCounts:
    """One metric with a size (a duration, a number of tokens) of one arm in one slot, in the contract's bins."""

    bins: Mapping[int, int]  # bin -> all observations
    first_bins: Mapping[int, int]  # key -> bin of its first observation in the slot


@dataclass(frozen=True, slots=True)
class Stratum:
    """Metric name -> counts, per arm. `weight_bp` is the candidate's weight where these requests were routed. `within`:
    the part of them that this is, where they are compared part by part (prompts of like length); "" for all."""

    slot: int
    snapshot: str
    weight_class: str
    weight_bp: int
    baseline: Mapping[str, MetricCounts]
    candidate: Mapping[str, MetricCounts]
    baseline_bins: Mapping[str, BinCounts] = field(default_factory=dict)
    candidate_bins: Mapping[str, BinCounts] = field(default_factory=dict)
    within: str = ""


@dataclass(frozen=True, slots=True)
class CheckedSlot:
    """What a slot holds for the judge: its randomised strata in a fixed order, and their keys per arm."""

    slot: int
    strata: tuple[Stratum, ...]
    keys: tuple[tuple[frozenset[int], frozenset[int]], ...]  # of each stratum: baseline's, candidate's
    contested: frozenset[int]  # keys seen in both arms of one stratum


def is_comparison(weight_bp: int) -> bool:
    """At weight 0 and 10000 there is one arm only: nothing to compare, ln e = 0."""
    return 0 < weight_bp < WEIGHT_TOTAL_BP


def check_slot(slot: int, strata: Sequence[Stratum]) -> CheckedSlot:
    """Raises CountsError, WeightError or SlotOrderError for a stratum that cannot be."""
    kept: dict[tuple[int, str, str, str], Stratum] = {}
    for stratum in strata:
        if stratum.slot != slot:
            raise SlotOrderError("a stratum of slot", stratum.slot, after=slot)
        check_weight(stratum.weight_bp)
        _check_stratum(stratum)
        if not stratum.weight_class:
            continue
        place = (stratum.weight_bp, stratum.snapshot, stratum.weight_class, stratum.within)
        if place in kept:
            raise CountsError(f"slot {slot} holds the stratum {place} twice", next_step="sum its rows before")
        kept[place] = stratum
    ordered = tuple(kept[place] for place in sorted(kept))
    keys = tuple(
        (_keys_of(stratum.baseline, stratum.baseline_bins), _keys_of(stratum.candidate, stratum.candidate_bins))
        for stratum in ordered
    )
    return CheckedSlot(slot, ordered, keys, _contested(ordered, keys))


def _contested(strata: Sequence[Stratum], keys: Sequence[tuple[frozenset[int], frozenset[int]]]) -> frozenset[int]:
    """Keys in both arms under one weight, in whichever parts of it."""
    if not any(stratum.within for stratum in strata):
        return frozenset().union(*(baseline & candidate for baseline, candidate in keys))
    arms: dict[tuple[int, str, str], tuple[set[int], set[int]]] = {}
    for stratum, (baseline, candidate) in zip(strata, keys, strict=True):
        of = arms.setdefault((stratum.weight_bp, stratum.snapshot, stratum.weight_class), (set(), set()))
        of[0].update(baseline)
        of[1].update(candidate)
    return frozenset().union(*(baseline & candidate for baseline, candidate in arms.values()))


def _keys_of(metrics: Mapping[str, MetricCounts], binned: Mapping[str, BinCounts]) -> frozenset[int]:
    shares = (keys for counts in metrics.values() for keys in (counts.keys_ok, counts.keys_bad))
    return frozenset().union(*shares, *(counts.first_bins for counts in binned.values()))


def is_whole(value: object) -> bool:
    """A Python int and no bool: NaN, 3.0 and True are no counts."""
    return type(value) is int


def check_weight(weight_bp: int) -> None:
    if not is_whole(weight_bp) or not 0 <= weight_bp <= WEIGHT_TOTAL_BP:
        raise WeightError(weight_bp)


def _check_stratum(stratum: Stratum) -> None:
    """All at once; only what does not pass is looked at one by one, to say what is wrong with it."""
    shares = (*stratum.baseline.values(), *stratum.candidate.values())
    sizes = (*stratum.baseline_bins.values(), *stratum.candidate_bins.values())
    if _pass(shares, sizes):
        return
    for counts in shares:
        _check_counts(counts)
    for binned in sizes:
        _check_bins(binned)


def _pass(shares: Collection[MetricCounts], sizes: Collection[BinCounts]) -> bool:
    key_sets: list[Collection[int]] = [keys for counts in shares for keys in (counts.keys_ok, counts.keys_bad)]
    key_sets += [counts.first_bins.keys() for counts in sizes]
    numbers = [count for counts in shares for count in (counts.observed, counts.bad)]
    held = [part for counts in sizes for part in (counts.bins.keys(), counts.bins.values(), counts.first_bins.values())]
    if not set(map(type, chain(numbers, *key_sets, *held))) <= {int}:
        return False
    keys = frozenset().union(*key_sets)
    if keys and (min(keys) < 0 or max(keys) >= _KEY_END):
        return False
    for counts in shares:
        ok, bad = counts.keys_ok, counts.keys_bad
        if not (len(bad) <= counts.bad <= counts.observed >= len(ok) + len(bad) and ok.isdisjoint(bad)):
            return False
    return _bins_pass(sizes)


def _bins_pass(sizes: Collection[BinCounts]) -> bool:
    """In range, each at least 1, and no bin with more first observations than observations."""
    bins = list(chain.from_iterable(counts.bins for counts in sizes))
    observed = list(chain.from_iterable(counts.bins.values() for counts in sizes))
    firsts = list(chain.from_iterable(counts.first_bins.values() for counts in sizes))
    for held in (bins, firsts):
        if held and not (min(held) >= 0 and max(held) < BIN_COUNT):
            return False
    if observed and min(observed) < 1:
        return False
    place = np.repeat(np.arange(0, len(sizes) * BIN_COUNT, BIN_COUNT), [len(counts.bins) for counts in sizes]) + bins
    first_place = (
        np.repeat(np.arange(0, len(sizes) * BIN_COUNT, BIN_COUNT), [len(counts.first_bins) for counts in sizes])
        + firsts
    )
    room = np.zeros(len(sizes) * BIN_COUNT)
    room[place.astype(np.int64)] = observed
    return bool((np.bincount(first_place.astype(np.int64), minlength=len(room)) <= room).all())


def _check_counts(counts: MetricCounts) -> None:
    if not (is_whole(counts.observed) and is_whole(counts.bad)):
        raise CountsError(f"counts are whole numbers, not {counts.observed!r} and {counts.bad!r}")
    if not 0 <= counts.bad <= counts.observed:
        raise CountsError(f"{counts.bad} bad of {counts.observed} observed cannot be")
    if len(counts.keys_bad) > counts.bad or len(counts.keys_bad) + len(counts.keys_ok) > counts.observed:
        raise CountsError(
            f"{len(counts.keys_ok)} good and {len(counts.keys_bad)} bad keys need more than "
            f"{counts.observed} requests, {counts.bad} bad"
        )
    if not counts.keys_ok.isdisjoint(counts.keys_bad):
        raise CountsError("a key is both never bad and bad in one slot")
    for keys in (counts.keys_ok, counts.keys_bad):
        _check_keys(keys)


def _check_bins(counts: BinCounts) -> None:
    for bin_, observed in counts.bins.items():
        if not (is_whole(bin_) and 0 <= bin_ < BIN_COUNT):
            raise CountsError(f"bin {bin_!r} is outside 0..{BIN_COUNT - 1}")
        if not is_whole(observed) or observed < 1:
            raise CountsError(f"bin {bin_} holds {observed!r} observations: whole numbers above 0, others are left out")
    for bin_, firsts in Counter(counts.first_bins.values()).items():
        if firsts > counts.bins.get(bin_, 0):
            raise CountsError(f"{firsts} keys were first seen in bin {bin_!r}, which holds {counts.bins.get(bin_, 0)}")
    _check_keys(counts.first_bins.keys())


def _check_keys(keys: Collection[int]) -> None:
    if not set(map(type, keys)) <= {int}:
        raise CountsError("a key is a whole number, the 64-bit hash of a sticky key")
    if keys and (min(keys) < 0 or max(keys) >= _KEY_END):
        raise CountsError("a key is a 64-bit hash, 0..2^64-1")
