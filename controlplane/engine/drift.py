"""Do the versions get alike requests, and do they answer alike? A rollout's rows into the diagnostics of drift.

Inputs are the slices that the service declares: what a request is, before any version has seen it. Randomised arms get
alike ones, so unlike ones put routing in doubt, and may hold. Outputs are the sizes of answers and why they ended:
versions that differ there may be meant to; that is noted. A key counts once, by its first request of the rollout, since
its later ones are no new draw; so the evidence holds at every look (`diagnostics/outputs.py`). Bounded: past `KEYS_MAX`
keys a subject learns nothing new. It decides nothing by itself. No clock, no I/O.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from controlplane.engine.open_rows import OpenRows, Strata
from controlplane.evidence.diagnostics.annotation import Annotation, Cause, Effect, ranked
from controlplane.evidence.diagnostics.outputs import OutputDrift
from controlplane.evidence.kernel import Ints
from controlplane.evidence.strata import is_comparison
from controlplane.ingest.rows import Row
from serinus.contract.edge import BIN_COUNT, BINS_PER_DOUBLING
from serinus.contract.metric import ERRORS, FINISH_LENGTH, SCRIPT, SCRIPTS, TOKENS_IN, TOKENS_OUT
from serinus.contract.slices import OTHER, values_in

# Of each subject, some 90 bytes each: nine subjects of a busy rollout take 8 MB.
KEYS_MAX = 10_000
# A wrong doubt stops a release, a wrong note costs a glance; of all subjects of a kind together.
ALPHA_HOLD, ALPHA_NOTE = 0.001, 0.01
_OCTAVES = BIN_COUNT // BINS_PER_DOUBLING

# Of a row: each key's bin.
Bins = Mapping[int, int]


@dataclass(slots=True)
class _Subject:
    """What is compared: by which of `labels` each key is."""

    name: str
    labels: Sequence[str]
    bins_of: Callable[[Row], Bins]
    is_input: bool
    drift: OutputDrift = field(init=False)
    seen: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.drift = OutputDrift(len(self.labels))

    def fold(self, rows: Iterable[Row], versions: tuple[str, str]) -> None:
        """One stratum. A key that is in both arms counts in none."""
        if len(self.seen) >= KEYS_MAX:
            return
        arms: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for row in rows:
            arm = arms[versions.index(row.version)]
            for key, bin_ in self.bins_of(row).items():
                if key not in self.seen:
                    arm.setdefault(key, bin_)
        contested = arms[0].keys() & arms[1].keys()
        counts = [self._counts(arm, contested) for arm in arms]
        self.seen.update(*arms)
        if counts[0].any() and counts[1].any():
            self.drift.add(*counts)

    def _counts(self, arm: Mapping[int, int], contested: set[int]) -> Ints:
        bins = [bin_ for key, bin_ in arm.items() if key not in contested]
        return np.bincount(np.array(bins, dtype=np.int64), minlength=len(self.labels))

    def annotation(self, alpha: float) -> Annotation | None:
        needed, log_e = -math.log(alpha), self.drift.log_e()
        if log_e < needed:
            return None
        bin_, has_more = self.drift.top()
        told = f"the candidate has {'more' if has_more else 'fewer'} of {self.labels[bin_]}, evidence {log_e:.1f} (ln)"
        cause, effect = Cause.OUTPUTS_DIFFER, Effect.NOTE
        words = "the versions answer alike requests differently"
        if self.is_input:
            cause, effect = Cause.INPUTS_DIFFER, Effect.HOLD
            words = "candidate and baseline get unlike requests: check routing before anything else"
        return Annotation("key-drift", self.name, cause, effect, log_e / needed, f"{self.name}: {words} ({told})")


class RolloutDrift:
    """Mutable, single-threaded. `slices`: dimension -> its declared values."""

    def __init__(self, slices: Mapping[str, Sequence[str]], *, rollout: str, versions: tuple[str, str]) -> None:
        self._versions = versions
        self._open = OpenRows(rollout=rollout, versions=versions)
        self._subjects = [*(_of_slices(name, values) for name, values in slices.items()), *_outputs()]
        self._found: tuple[Annotation, ...] = ()

    def add(self, rows: Iterable[Row], *, now_slot: int, closed_through: int | None) -> None:
        """Take the rows of one batch in, as `SlotMerge` does."""
        self._open.add(rows, now_slot=now_slot, closed_through=closed_through)

    def close(self, through_slot: int) -> None:
        """Fold what the judge has been handed."""
        slots = list(self._open.close(through_slot))
        for _, strata in slots:
            self._fold(strata)
        if slots:
            self._found = self._annotations()

    def annotations(self) -> tuple[Annotation, ...]:
        """Those that hold first, then the strongest."""
        return self._found

    def doubt(self) -> str:
        """Why the data of a decision are in doubt; "" if they are not."""
        return next((each.sentence for each in self._found if each.effect is Effect.HOLD), "")

    def _fold(self, strata: Strata) -> None:
        for (_, _, weight_bp), rows in strata:
            if is_comparison(weight_bp):
                for subject in self._subjects:
                    subject.fold(rows, self._versions)

    def _annotations(self) -> tuple[Annotation, ...]:
        inputs = sum(each.is_input for each in self._subjects)
        alphas = {True: ALPHA_HOLD / max(inputs, 1), False: ALPHA_NOTE / max(len(self._subjects) - inputs, 1)}
        found = (each.annotation(alphas[each.is_input]) for each in self._subjects)
        return ranked(each for each in found if each is not None)


def _of_slices(dimension: str, values: Sequence[str]) -> _Subject:
    labels = (*values, OTHER)
    bins = {label: bin_ for bin_, label in enumerate(labels)}

    def bins_of(row: Row) -> Bins:
        errors = row.metrics.get(ERRORS)
        bin_ = bins.get(values_in(row.slices).get(dimension, OTHER), bins[OTHER])
        return dict.fromkeys(errors.keys_ok | errors.keys_bad, bin_) if errors is not None else {}

    return _Subject(dimension, labels, bins_of, is_input=True)


def _outputs() -> list[_Subject]:
    """How long answers are, how long the servers count the prompts, how many end at their limit, and in which script
    they are written."""

    def ended(row: Row) -> Bins:
        count = row.metrics.get(FINISH_LENGTH)
        return {**dict.fromkeys(count.keys_ok, 0), **dict.fromkeys(count.keys_bad, 1)} if count is not None else {}

    def sizes(metric: str) -> _Subject:
        def bins_of(row: Row) -> Bins:
            found = row.histograms.get(metric)
            firsts = found.firsts if found is not None else {}
            return {key: first % BIN_COUNT // BINS_PER_DOUBLING for key, first in firsts.items()}

        labels = [f"{2**octave} to {2 ** (octave + 1)} tokens" for octave in range(_OCTAVES)]
        return _Subject(metric, labels, bins_of, is_input=False)

    def written(row: Row) -> Bins:
        found = row.histograms.get(SCRIPT)
        firsts = found.firsts if found is not None else {}
        # A sidecar of a later version may know more of them.
        return {key: min(first % BIN_COUNT, len(SCRIPTS) - 1) for key, first in firsts.items()}

    finish = _Subject("finish_reason", ("others", "length"), ended, is_input=False)
    script = _Subject(SCRIPT, [f"answers in {name} script" for name in SCRIPTS], written, is_input=False)
    return [sizes(TOKENS_OUT), sizes(TOKENS_IN), finish, script]
