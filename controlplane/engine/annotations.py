"""The judge's path as the diagnostics read it: counts by slot in, sentences for people out, and nothing else.

A sentence is all that leaves: no phase, no gate and no verdict can be moved by it. Who asks for the view pays for it
(3 ms a metric); the path itself is bounded.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from controlplane.engine.evidence import Sample
from controlplane.evidence.diagnostics.annotate import ArmSlots, annotate
from controlplane.evidence.diagnostics.annotation import Annotation, ranked
from controlplane.evidence.errors import EvidenceError

# Beside the metrics and what the proxies reject, more would push the events off the screen.
SHOWN_MAX = 3


def annotation_sentences(samples: Sequence[Sample], more: Iterable[Annotation] = ()) -> tuple[str, ...]:
    """Of all metrics of the path and of what else was found (`more`): those that doubt the data first, then the
    strongest. Counts that cannot be read cost their annotation only."""
    found = list(more)
    if samples:
        for index, metric in enumerate(samples[-1].metrics):
            try:
                found += annotate(metric.metric, *_slots(samples, index))
            except EvidenceError:
                continue
    return tuple(each.sentence for each in ranked(found)[:SHOWN_MAX])


def _slots(samples: Sequence[Sample], index: int) -> tuple[ArmSlots, ArmSlots]:
    """What came in between two points of the path, which tells running totals."""
    metrics = [sample.metrics[index] for sample in samples]
    totals = np.array(
        [(each.baseline_requests, each.baseline_bad, each.candidate_requests, each.candidate_bad) for each in metrics],
        dtype=np.int64,
    )
    baseline_n, baseline_bad, candidate_n, candidate_bad = np.diff(totals, axis=0, prepend=0).T
    return ArmSlots(baseline_n, baseline_bad), ArmSlots(candidate_n, candidate_bad)
